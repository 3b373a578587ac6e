import { z } from 'zod';
import { documented, type VariableDoc } from './concern.js';

type Doc = Omit<VariableDoc, 'default' | 'unit'> & Partial<Pick<VariableDoc, 'default' | 'unit'>>;

const TRUE = new Set(['true', '1', 'yes', 'on']);
const FALSE = new Set(['false', '0', 'no', 'off']);

/** `true` or `false`, in any of the usual spellings; undefined where unset and no default is given. */
export function flag(fallback: boolean, doc: Doc): z.ZodType<boolean>;
export function flag(fallback: undefined, doc: Doc): z.ZodType<boolean | undefined>;
export function flag(fallback: boolean | undefined, doc: Doc): z.ZodType<boolean | undefined> {
  const schema = z
    .string()
    .optional()
    .transform((text, context) => {
      const value = text?.toLowerCase();
      if (value === undefined) return fallback;
      if (TRUE.has(value)) return true;
      if (FALSE.has(value)) return false;
      context.addIssue({ code: 'custom', message: `must be true or false, not ${JSON.stringify(text)}` });
      return z.NEVER;
    });
  return documented(schema, {
    default: fallback === undefined ? 'unset' : String(fallback),
    unit: 'true or false',
    ...doc,
  });
}

/** A whole number between two bounds, both included; undefined where unset and no default is given. */
export function whole(fallback: number, bounds: readonly [number, number], doc: Doc): z.ZodType<number>;
export function whole(fallback: undefined, bounds: readonly [number, number], doc: Doc): z.ZodType<number | undefined>;
export function whole(
  fallback: number | undefined,
  [least, most]: readonly [number, number],
  doc: Doc,
): z.ZodType<number | undefined> {
  const schema = z
    .string()
    .optional()
    .transform((text, context) => {
      if (text === undefined) return fallback;
      const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      if (value >= least && value <= most) return value;
      context.addIssue({
        code: 'custom',
        message: `must be a whole number from ${least} to ${most}, not ${JSON.stringify(text)}`,
      });
      return z.NEVER;
    });
  return documented(schema, {
    default: fallback === undefined ? 'unset' : String(fallback),
    ...doc,
    unit: `${doc.unit ?? 'number'}, ${least} to ${most}`,
  });
}

/** Text that fits a pattern; undefined where unset and no default is given. A secret's value is never repeated. */
export function text(fallback: string, pattern: RegExp, form: string, doc: Doc): z.ZodType<string>;
export function text(fallback: undefined, pattern: RegExp, form: string, doc: Doc): z.ZodType<string | undefined>;
export function text(
  fallback: string | undefined,
  pattern: RegExp,
  form: string,
  doc: Doc,
): z.ZodType<string | undefined> {
  const schema = z
    .string()
    .optional()
    .transform((value, context) => {
      if (value === undefined) return fallback;
      if (pattern.test(value)) return value;
      // What stands before an @ in an address may be a password.
      const shown = doc.secret === true || value.includes('@') ? '' : `, not ${JSON.stringify(value)}`;
      context.addIssue({ code: 'custom', message: `must be ${form}${shown}` });
      return z.NEVER;
    });
  return documented(schema, { default: fallback ?? 'unset', unit: form, ...doc });
}

/** One of a few words. */
export function choice<const T extends string>(fallback: T, words: readonly T[], doc: Doc): z.ZodType<T> {
  const schema = z
    .string()
    .optional()
    .transform((value, context): T => {
      if (value === undefined) return fallback;
      const found = words.find((word) => word === value);
      if (found !== undefined) return found;
      context.addIssue({ code: 'custom', message: `must be one of ${words.join(', ')}, not ${JSON.stringify(value)}` });
      return z.NEVER;
    });
  return documented(schema, { default: fallback, unit: words.join(', '), ...doc });
}
