import { z } from 'zod';

/** Documentation of one environment variable, kept on its schema. */
export interface VariableDoc {
  /** One sentence: what it does. */
  readonly about: string;
  /** The default as text, or how it is derived. */
  readonly default: string;
  /** Unit or form of the value: `minutes`, `bytes`, `true or false`, … */
  readonly unit: string;
  /** Never printed, logged or returned. */
  readonly secret?: boolean;
  /** A value for `.env.example`, where the default is not one itself. */
  readonly example?: string;
}

/** The environment as the process has it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** One problem of the environment: the variable and what is wrong with it. */
export interface ConfigurationProblem {
  readonly variable: string;
  readonly message: string;
}

/** Variables that were refused, all of them at once. */
export class InvalidVariables extends Error {
  constructor(readonly problems: readonly ConfigurationProblem[]) {
    super(problems.map(({ variable, message }) => `${variable}: ${message}`).join('\n'));
    this.name = 'InvalidVariables';
  }
}

const docs = new WeakMap<z.ZodType, VariableDoc>();

/** Attaches documentation to the schema of a variable. */
export function documented<T extends z.ZodType>(schema: T, doc: VariableDoc): T {
  docs.set(schema, doc);
  return schema;
}

/**
 * Refuses a variable, from `build`.
 *
 * @param unless - variables that would have made this problem go away: if one of them was refused itself, only that is told
 */
export type Refuse = (variable: string, message: string, unless?: readonly string[]) => void;

/** A group of variables that belong together, and the object that the code gets from them. */
export interface Concern<T extends object> {
  readonly name: string;
  /** One sentence: what the variables are about. */
  readonly about: string;
  /** Throws InvalidVariables, naming every variable that is wrong. */
  parse(env: Environment): T;
  /** Documentation of each variable, in order. */
  variables(): ReadonlyMap<string, VariableDoc>;
  /** Provider for Nest, which EiderConfigModule registers: parsed when it is injected, from `process.env`. */
  readonly provider: (() => T) & { readonly KEY: string };
}

/**
 * Declares a concern.
 *
 * @param shape - one documented schema per variable; an empty value counts as unset
 * @param build - makes the configuration object from the parsed variables; may refuse with a problem of its own
 */
export function concern<S extends z.ZodRawShape, T extends object>(
  name: string,
  about: string,
  shape: S,
  build: (values: z.output<z.ZodObject<S>>, refuse: Refuse) => T,
): Concern<T> {
  const schema = z.object(shape);
  const parse = (env: Environment): T => {
    const given = givenOf(env, Object.keys(shape));
    const whole = schema.safeParse(given);
    const problems = whole.success ? [] : problemsOf(whole.error);
    const wrong = new Set(problems.map(({ variable }) => variable));
    // What `build` finds is told together with what the schemas found: the wrong variables count as unset for that.
    const values = whole.success ? whole.data : schema.parse(without(given, wrong));
    const built = build(values, (variable, message, unless = []) => {
      if (![variable, ...unless].some((name) => wrong.has(name))) problems.push({ variable, message });
    });
    if (problems.length > 0) throw new InvalidVariables(problems);
    return built;
  };
  return {
    name,
    about,
    parse,
    variables: () => new Map(Object.entries(shape).map(([variable, type]) => [variable, docOf(variable, type)])),
    // The token that `registerAs` gives: the package itself would load all of Nest into every command.
    provider: Object.assign(() => parse(process.env), { KEY: `CONFIGURATION(${name})` }),
  };
}

/** The variables that are set, trimmed. */
function givenOf(env: Environment, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (env[name]?.trim() ? [[name, env[name].trim()]] : [])));
}

function without(given: Record<string, string>, names: ReadonlySet<string>): Record<string, string> {
  return Object.fromEntries(Object.entries(given).filter(([name]) => !names.has(name)));
}

function problemsOf(error: z.ZodError): ConfigurationProblem[] {
  return error.issues.map((issue) => ({ variable: String(issue.path[0]), message: issue.message }));
}

function docOf(variable: string, type: unknown): VariableDoc {
  const doc = docs.get(type as z.ZodType);
  if (doc === undefined) throw new Error(`${variable} has no documentation`);
  return doc;
}
