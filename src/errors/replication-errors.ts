import { entry, type ErrorEntry } from './error-entry.js';

/** Errors of shipping commits, and of the points that they make. */
export const REPLICATION_ERRORS = {
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
} as const satisfies Record<string, ErrorEntry>;
