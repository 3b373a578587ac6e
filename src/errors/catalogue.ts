import type { ErrorEntry } from './error-entry.js';
import { BACKUP_ERRORS } from './backup-errors.js';
import { DATABASE_ERRORS } from './database-errors.js';
import { EVENT_ERRORS } from './event-errors.js';
import { REPLICATION_ERRORS } from './replication-errors.js';
import { REPOSITORY_ERRORS } from './repository-errors.js';
import { REQUEST_ERRORS } from './request-errors.js';
import { RESTORE_ERRORS } from './restore-errors.js';
import { STORE_ERRORS } from './store-errors.js';

/** Every error code of Eider. Codes are stable: programs match on them. */
export const ERRORS = {
  ...REQUEST_ERRORS,
  ...DATABASE_ERRORS,
  ...STORE_ERRORS,
  ...REPOSITORY_ERRORS,
  ...BACKUP_ERRORS,
  ...REPLICATION_ERRORS,
  ...RESTORE_ERRORS,
  ...EVENT_ERRORS,
} as const satisfies Record<string, ErrorEntry>;

/** A code of the catalogue. */
export type ErrorCode = keyof typeof ERRORS;
