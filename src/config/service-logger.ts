import { ConsoleLogger, type LogLevel } from '@nestjs/common';
import type { Environment } from './concern.js';
import { CONCERNS } from './configuration.js';
import type { ServiceConfig } from './service.config.js';

/** From the most severe on. */
const LEVELS: readonly LogLevel[] = ['fatal', 'error', 'warn', 'log', 'debug', 'verbose'];

/** Properties whose value is never logged, wherever they stand. */
const REDACTED = ['authorization', 'cookie', 'password', 'secret', 'accessKeyId', 'secretAccessKey', 'apiKey', 'token'];

/** Contexts under which Nest reports what it sets up. */
const FRAMEWORK = new Set(['NestFactory', 'InstanceLoader', 'RoutesResolver', 'RouterExplorer', 'NestApplication']);

const CENSOR = '[REDACTED]';

/** Shorter values would be masked out of ordinary words. */
const SHORTEST_SECRET = 6;

/** The console logger, with every secret of the configuration masked in messages and stack traces, too. */
export class ServiceLogger extends ConsoleLogger {
  readonly #secrets: readonly RegExp[];

  constructor(config: Pick<ServiceConfig, 'logFormat' | 'logLevel'>, secrets: readonly string[]) {
    super({
      json: config.logFormat === 'json',
      // Not into files and pipes, where escape sequences are in the way of searching.
      colors: config.logFormat === 'text' && process.stdout.isTTY === true && process.stdout.hasColors(),
      flattenParams: true,
      prefix: 'Eider',
      logLevels: LEVELS.slice(0, LEVELS.indexOf(config.logLevel) + 1),
      redact: { paths: REDACTED, censor: CENSOR },
    });
    this.#secrets = secrets.map(inAnyEscaping);
  }

  /** The framework's own lines about modules and routes tell an operator nothing: they are for `debug`. */
  override log(message: unknown, ...rest: unknown[]): void {
    const context = rest.at(-1);
    if (typeof context === 'string' && FRAMEWORK.has(context)) this.debug(message, ...rest);
    else super.log(message, ...rest);
  }

  protected override formatMessage(...parts: Parameters<ConsoleLogger['formatMessage']>): string {
    return this.#mask(super.formatMessage(...parts));
  }

  protected override stringifyJsonLogObject(entry: Record<string, unknown>): string {
    return this.#mask(super.stringifyJsonLogObject(entry));
  }

  protected override printStackTrace(stack: string): void {
    super.printStackTrace(typeof stack === 'string' ? this.#mask(stack) : stack);
  }

  #mask(line: string): string {
    return this.#secrets.reduce((masked, secret) => masked.replaceAll(secret, CENSOR), line);
  }
}

/** The logger of the service. */
export function createLogger(config: Pick<ServiceConfig, 'logFormat' | 'logLevel'>, env: Environment): ServiceLogger {
  return new ServiceLogger(config, secretsOf(env));
}

/** The values of all secret variables, and each entry of a list, the longest first: one may be a part of another. */
function secretsOf(env: Environment): readonly string[] {
  const values = CONCERNS.flatMap((concern) =>
    [...concern.variables()].flatMap(([name, { secret }]) => (secret === true ? [env[name]?.trim() ?? ''] : [])),
  );
  return [...new Set(values.flatMap((value) => [value, ...value.split(',').map((entry) => entry.trim())]))]
    .filter((value) => value.length >= SHORTEST_SECRET)
    .sort((a, b) => b.length - a.length);
}

/**
 * Finds a text also where JSON or `util.inspect` wrote it, once or one inside the other: they put backslashes before quotes
 * and backslashes, and which quotes depends on what stands around.
 */
function inAnyEscaping(text: string): RegExp {
  const pattern = text.replaceAll(/[^A-Za-z0-9]/gu, (char) => {
    if (char === '\\') return '\\\\+';
    if (char === '"' || char === "'") return `\\\\*${char}`;
    return `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`;
  });
  return new RegExp(pattern, 'gu');
}
