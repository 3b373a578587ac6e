import { entry, type ErrorEntry } from './error-entry.js';

/** Errors of the repository: whose it is, and what it holds. */
export const REPOSITORY_ERRORS = {
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
} as const satisfies Record<string, ErrorEntry>;
