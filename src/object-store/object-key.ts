import { EiderError } from '../errors/eider-error.js';

/** Longest key in bytes of UTF-8: the limit of S3 and of R2. */
export const MAX_KEY_BYTES = 1024;

// Control characters break XML listings, logs and terminals; nothing that Eider writes has them.
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f]/;

/** What is wrong with a key, in words; undefined for a valid one. */
function fault(key: string): string | undefined {
  if (key === '') return 'it is empty';
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) return `it is longer than ${MAX_KEY_BYTES} bytes`;
  if (/\p{Surrogate}/u.test(key)) return 'it is not valid Unicode';
  if (CONTROL.test(key)) return 'it has control characters';
  for (const segment of key.split('/')) {
    if (segment === '') return 'it has an empty segment, or begins or ends with a slash';
    if (segment === '.' || segment === '..') return 'it has a . or .. segment';
  }
  return undefined;
}

/** True for a key that every store accepts and that cannot leave a folder. */
export function isObjectKey(key: string): boolean {
  return fault(key) === undefined;
}

/** Returns the key; throws STORE_KEY_INVALID saying what is wrong with it. */
export function checkKey(key: string): string {
  const wrong = fault(key);
  if (wrong !== undefined)
    throw new EiderError('STORE_KEY_INVALID', `The key ${JSON.stringify(key)} is refused: ${wrong}.`);
  return key;
}

/**
 * Returns the prefix of a listing; throws STORE_KEY_INVALID. A prefix is the beginning of a key: it may be empty, end
 * with a slash or stop in the middle of a name (`log/0000`).
 */
export function checkPrefix(prefix: string): string {
  if (prefix !== '')
    checkKey(prefix.endsWith('/') ? `${prefix}x` : /(^|\/)\.{1,2}$/.test(prefix) ? `${prefix}x` : prefix);
  return prefix;
}

/** Order of keys in every listing: by the bytes of their UTF-8, which differs from JavaScript's own order of strings. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
