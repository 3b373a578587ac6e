import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('globalThis.gc');

/** Frees all that nothing refers to, so that what memory is left is in use. */
export function collectGarbage(): void {
  if (typeof collect !== 'function') throw new Error('this V8 exposes no collector');
  collect();
}
