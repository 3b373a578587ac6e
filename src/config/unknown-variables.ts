import type { Environment } from './concern.js';
import { CONCERNS } from './configuration.js';

/** Nobody else's variables begin like this. */
const OWN = /^((R2|DUCKDB|BACKUP|RESTORE_POINTS|CHECKPOINT_WAL|ADMIN_API)_|ENCRYPTION_KEY)/;

/** Variables that look like Eider's and are none: a misspelt one would be ignored without a word. */
export function unknownVariables(env: Environment): string[] {
  const known = new Set(CONCERNS.flatMap((concern) => [...concern.variables().keys()]));
  return Object.keys(env)
    .filter((name) => OWN.test(name) && !known.has(name))
    .toSorted();
}
