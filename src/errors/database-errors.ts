import { entry, type ErrorEntry } from './error-entry.js';

/** Errors of the database, its queries and its migrations. */
export const DATABASE_ERRORS = {
  DATABASE_LOCKED: entry(
    503,
    'Another process has the database open',
    'Nothing was changed. Stop the other process (named where the system tells) or use another DUCKDB_PATH.',
  ),
  DATABASE_NOT_DUCKDB: entry(
    500,
    'The file is not a DuckDB database',
    'The file was left as it is. Check DUCKDB_PATH, or move the file away and start again to restore from the repository.',
  ),
  DATABASE_CORRUPT: entry(
    500,
    'The database file is damaged',
    'The file was left as it is. Move it away and start again to restore the newest backup, or restore by name.',
  ),
  DATABASE_VERSION_NEWER: entry(
    500,
    'The database was written by a newer DuckDB',
    'The file was left as it is. Run a version of Eider whose DuckDB is at least the one named.',
  ),
  DATABASE_UPGRADE_FAILED: entry(
    500,
    'The database could not be upgraded to a newer storage version',
    'The original file was left as it is; the failed copy was removed. The message names the cause.',
  ),
  DATABASE_PATH_INVALID: entry(
    500,
    'DUCKDB_PATH cannot be used',
    'Nothing was changed. The message says why: a folder, no permission, a read-only disk, or no such folder.',
  ),
  DATABASE_ENCRYPTED: entry(
    500,
    'Encrypted DuckDB files are not supported',
    'The file was left as it is. Eider needs to read the file header, which DuckDB encrypts.',
  ),
  DATABASE_READ_ONLY: entry(
    503,
    'Writes are paused',
    'Nothing was changed. Try again after Retry-After; /api/health/database tells why writes are paused.',
  ),
  DATABASE_CLOSED: entry(
    503,
    'The database is not open at the moment',
    'A restore or a shutdown is in progress. Try again after Retry-After.',
  ),
  DATABASE_DISK_FULL: entry(
    507,
    'The disk that holds the database is full',
    'The transaction was rolled back; everything committed before is safe. Free some space and try again.',
  ),
  DATABASE_NOT_SYNCED: entry(
    503,
    'The disk did not take what was committed last',
    'DuckDB has refused the commit, or is about to: nothing of it is shipped or backed up. Check the disk. A checkpoint and a new base follow by themselves once it writes again.',
  ),
  QUERY_TIMEOUT: entry(
    504,
    'The query took too long',
    'It was cancelled and its transaction rolled back. DUCKDB_QUERY_TIMEOUT_MS sets the bound.',
  ),
  QUERY_CANCELLED: entry(499, 'The query was cancelled by the caller', 'Its transaction was rolled back.'),
  CHECKPOINT_BLOCKED: entry(
    503,
    'A transaction keeps the checkpoint from running',
    'Nothing is lost: commits stay in the write-ahead log. End long transactions that update rows or change the schema.',
  ),
  MIGRATION_CHANGED: entry(
    500,
    'An applied migration has changed or is missing',
    'Nothing was changed. Restore the migration file as it was when it was applied; put changes in a new one.',
  ),
  MIGRATION_INVALID: entry(
    500,
    'The migrations folder is not in order',
    'Nothing was changed. Name files NNNN-name.sql with each number once.',
  ),
  MIGRATION_FAILED: entry(
    500,
    'A migration failed',
    'Its transaction was rolled back; migrations before it stay applied. Correct the file and start again.',
  ),
  SCHEMA_NEWER: entry(
    500,
    'The database was migrated by a newer release',
    'Nothing was changed. Deploy the newer release, or mark its migrations backward compatible if they are.',
  ),
  SEED_FAILED: entry(500, 'The seed data could not be loaded', 'It was rolled back; the database is empty but usable.'),
} as const satisfies Record<string, ErrorEntry>;
