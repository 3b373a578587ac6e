import { entry, type ErrorEntry } from './error-entry.js';

/** Errors of restores, and of the decision at the start. */
export const RESTORE_ERRORS = {
  RESTORE_IN_PROGRESS: entry(409, 'A restore is running already', 'Nothing was changed. Wait for it to end.'),
  RESTORE_NOT_CONFIRMED: entry(
    400,
    'The restore was not confirmed',
    'Nothing was changed. `confirm` must repeat the name of the database.',
  ),
  RESTORE_NO_SPACE: entry(
    507,
    'There is not enough room on the disk for the restore',
    'Nothing was changed. Free the number of bytes named, or remove old restore points.',
  ),
  RESTORE_CHECK_FAILED: entry(
    500,
    'The restored database did not pass its check',
    'The live database was not touched. Restore another backup.',
  ),
  RESTORE_FAILED: entry(
    500,
    'The restore failed',
    'The database in use before it is in place again. The message names the step that failed.',
  ),
  RESTORE_ROLLBACK_FAILED: entry(
    500,
    'The restore failed and so did putting the old database back',
    'No file was deleted. The message names the file that holds the old database: rename it to DUCKDB_PATH and start again.',
  ),
  RESTORE_CONFLICT: entry(
    409,
    'The local database and the repository hold different histories',
    'Nothing was changed. Choose with R2_RESTORE_ON_CONFLICT=remote or local; the loser is kept beside the database.',
  ),
  START_REFUSED_STORE_UNREACHABLE: entry(
    503,
    'There is no local database and the repository cannot be reached',
    'Nothing was created: an empty database must never replace a full one. ALLOW_EMPTY_START=true overrides.',
  ),
} as const satisfies Record<string, ErrorEntry>;
