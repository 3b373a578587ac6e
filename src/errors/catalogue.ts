/** One entry of the catalogue: docs/errors.md is compared with it in the tests. */
export interface ErrorEntry {
  /** HTTP status of the answer. */
  readonly status: number;
  /** What the code means, in one short line: the `title` of the problem document. */
  readonly title: string;
  /** What is safe and what to do. */
  readonly advice: string;
}

const entry = (status: number, title: string, advice: string): ErrorEntry => ({ status, title, advice });

/** Every error code of Eider. Codes are stable: programs match on them. */
export const ERRORS = {
  // configuration and requests
  CONFIGURATION_INVALID: entry(
    500,
    'The configuration is not valid',
    'Nothing was opened or changed. Correct the variables named, one line each, and start again.',
  ),
  REQUEST_INVALID: entry(400, 'The request is not valid', 'Nothing was changed. Correct the fields named in `errors`.'),
  REQUEST_TOO_LARGE: entry(413, 'The request body is too large', 'Nothing was changed. Send a smaller body.'),
  NOT_FOUND: entry(404, 'There is nothing at this address', 'Nothing was changed. See /api/docs for the addresses.'),
  RATE_LIMITED: entry(429, 'Too many requests', 'Nothing was changed. Wait as long as Retry-After says.'),
  INTERNAL: entry(
    500,
    'An unexpected error occurred',
    'The log holds the details under the same request id. Please report it with that line.',
  ),
  ADMIN_KEYS_MISSING: entry(
    503,
    'The admin API has no keys',
    'Set ADMIN_API_KEYS (name:role:sha256hex, comma-separated) and restart; until then the admin API stays shut.',
  ),
  UNAUTHENTICATED: entry(
    401,
    'A valid API key is needed',
    'Send `Authorization: Bearer <key>` with a key from ADMIN_API_KEYS.',
  ),
  FORBIDDEN: entry(403, 'The role of this API key is too low', 'Use a key of the role named in the message.'),
  SHUTTING_DOWN: entry(
    503,
    'The service is shutting down',
    'Nothing was changed. Send the request to another instance, or again after the restart.',
  ),
  OPERATION_NOT_FOUND: entry(
    404,
    'There is no such operation',
    'Operations are kept in memory, the newest 200 only, and are forgotten at a restart.',
  ),

  // database
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

  // object store
  STORE_NOT_FOUND: entry(
    404,
    'The object is not in the store',
    'It may have been removed by retention or by hand. `eider verify` tells which backups are affected.',
  ),
  STORE_BUCKET_MISSING: entry(
    503,
    'The bucket does not exist',
    'Nothing was written. Create the bucket or correct R2_BUCKET_NAME and R2_ENDPOINT.',
  ),
  STORE_EXISTS: entry(
    409,
    'The object exists already',
    'Nothing was overwritten: every object of the repository is written once.',
  ),
  STORE_DENIED: entry(
    502,
    'The store refused the credentials',
    'Check R2_ACCESS_KEY_ID, R2_SECRET_ACCESS_KEY and the rights of the token (Object Read & Write on the bucket).',
  ),
  STORE_CLOCK_SKEW: entry(
    502,
    "This machine's clock differs too much from the store's",
    'Set the clock (NTP); signatures are valid for 15 minutes. Local data is safe.',
  ),
  STORE_THROTTLED: entry(
    503,
    'The store asks to slow down',
    'The work is repeated by itself; local data is safe. Lower R2_MAX_CONCURRENCY if it stays.',
  ),
  STORE_UNAVAILABLE: entry(
    503,
    'The store cannot be reached',
    'Local data is safe and stays in use; what is missing is shipped when the store answers. Check R2_ENDPOINT and the network.',
  ),
  STORE_NO_SPACE: entry(507, 'The store has no room', 'Nothing half-written is listed. Free space or raise the quota.'),
  STORE_CORRUPT: entry(
    502,
    'The store returned other bytes than were asked for',
    'Nothing was replaced. Try again; if it stays, restore another backup and check the store.',
  ),
  STORE_KEY_INVALID: entry(400, 'The object key is not valid', 'Nothing was read or written.'),
  STORE_ABORTED: entry(499, 'The request to the store was aborted', 'Nothing half-written is listed.'),
  STORE_FAILED: entry(
    502,
    'The store refused the request',
    'Nothing half-written is listed. The message holds what the store said.',
  ),

  // repository
  REPOSITORY_ENVIRONMENT_MISMATCH: entry(
    409,
    'The repository belongs to another environment',
    'Nothing was written. Use the bucket of this environment, or set NODE_ENV to the one that the repository records.',
  ),
  REPOSITORY_DATABASE_MISMATCH: entry(
    409,
    'The repository holds the backups of another database',
    'Nothing was written. Give each database its own bucket or R2_BACKUP_PATH.',
  ),
  REPOSITORY_FORMAT_NEWER: entry(
    409,
    'The repository or the backup was written in a newer format',
    'Nothing was changed. Use a release of Eider that knows this format.',
  ),
  REPOSITORY_CORRUPT: entry(
    500,
    'The description of the repository cannot be read',
    'Nothing was changed. Backups can still be restored by hand: docs/restore-by-hand.md.',
  ),
  ENCRYPTION_KEY_MISSING: entry(
    409,
    'The key of an encrypted backup is not configured',
    'Nothing was written, fetched or changed. Add the key of that id behind the first one in ENCRYPTION_KEY or ENCRYPTION_KEY_FILE and restart. Where it is lost, so are the backups under it: begin a new repository with another R2_BACKUP_PATH.',
  ),
  MANIFEST_CORRUPT: entry(
    500,
    'The manifest of the backup is damaged',
    'Nothing was changed. Restore another backup by its name, then take a new one; the pack itself may be whole and can be restored by hand.',
  ),
  EXTENT_CORRUPT: entry(
    500,
    'A block table of the backup is damaged',
    'Nothing was changed. Restore another backup; a full pack can still be restored by hand with `zstd -d`.',
  ),
  BACKUP_NOT_FOUND: entry(
    404,
    'There is no backup of this name',
    'Nothing was changed. GET /api/admin/backups lists them.',
  ),
  BACKUP_DAMAGED: entry(
    500,
    'The backup is damaged',
    'Nothing was replaced. Restore another backup; take a new full one now.',
  ),
  BACKUP_DISABLED: entry(
    409,
    'Backups are turned off',
    'BACKUP_ENABLED=false: nothing is backed up and nothing is protected. Set it to true and restart.',
  ),
  BACKUP_IN_USE: entry(
    409,
    'The backup is needed',
    'Nothing was deleted: it is the newest good backup, the last proven one, pinned, or a backup under way builds on it; or somebody reads it, which ends with the reader, or a day after its last sign of life.',
  ),
  BACKUP_FAILED: entry(
    500,
    'The backup failed',
    'The database is unharmed and nothing half-written is listed. It is tried again with growing pauses.',
  ),
  REPLICATION_FENCED: entry(
    409,
    'Another process has taken over this database',
    'This process refuses writes and ships nothing; what it holds is saved as a fork. Keep one process running, and restart this one to follow.',
  ),
  DURABILITY_UNAVAILABLE: entry(
    409,
    'Durable commits are turned off',
    'Nothing was changed. Set R2_WAL_SYNC_INTERVAL_MS, or ask without `Prefer: durable`.',
  ),
  COMMIT_NOT_DURABLE: entry(
    503,
    'The change is committed here, but not in the store yet',
    'It is safe on this disk and is shipped as soon as the store answers. Do not send it again: look first whether it is there.',
  ),
  RESTORE_POINT_UNREACHABLE: entry(
    409,
    'This point in time cannot be restored',
    'Nothing was changed. GET /api/admin/timeline tells which ranges can; restore one of their points, or a backup.',
  ),
  LOG_RECORD_CORRUPT: entry(
    500,
    'A record of the log is damaged',
    'Nothing was changed. Points before this record can be restored, and points after the next backup. Restore one of them.',
  ),
  LOG_RECORD_MISSING: entry(
    500,
    'A record of the log is missing',
    'Nothing was changed. Points before this record can be restored, and points after the next backup. Restore one of them.',
  ),
  BACKUP_IMAGE_CHANGED: entry(
    503,
    'The database was checkpointed by someone else while it was copied',
    'Nothing half-written is listed. Do not run CHECKPOINT yourself: Eider owns it.',
  ),
  WRITER_REPLACED: entry(
    409,
    'Another process has written newer backups of this database',
    'This process refuses writes; its state was saved as a fork. Keep one process running and restore the fork if its data matters.',
  ),

  // restore
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

  // sample domain
  EVENT_NOT_FOUND: entry(404, 'There is no such event', 'Nothing was changed. GET /api/events lists them.'),
  USER_NOT_FOUND: entry(404, 'There is no such user', 'Nothing was changed.'),
  EVENT_FULL: entry(409, 'The event is fully booked', 'Nothing was changed.'),
  EVENT_CLOSED: entry(409, 'The event takes no registrations', 'Nothing was changed.'),
  ALREADY_REGISTERED: entry(409, 'The user is registered already', 'Nothing was changed.'),
} as const satisfies Record<string, ErrorEntry>;

/** A code of the catalogue. */
export type ErrorCode = keyof typeof ERRORS;
