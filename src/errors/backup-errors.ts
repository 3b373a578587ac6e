import { entry, type ErrorEntry } from './error-entry.js';

/** Errors of taking and removing backups. */
export const BACKUP_ERRORS = {
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
} as const satisfies Record<string, ErrorEntry>;
