import type { ErrorCode } from '../errors/catalogue.js';

/** Exit statuses of the command line. docs/cli.md explains each. */
export const EXIT_STATUS = {
  done: 0,
  failed: 1,
  usage: 2,
  /** A backup is damaged, or a check of the doctor failed. */
  unsound: 3,
  /** Another process holds the database. */
  locked: 4,
  /** There is no such backup. */
  notFound: 5,
  /** The store cannot be reached. */
  unreachable: 6,
} as const;

const BY_CODE: Partial<Record<ErrorCode, number>> = {
  REQUEST_INVALID: EXIT_STATUS.usage,
  CONFIGURATION_INVALID: EXIT_STATUS.usage,
  RESTORE_NOT_CONFIRMED: EXIT_STATUS.usage,
  ENCRYPTION_KEY_MISSING: EXIT_STATUS.usage,
  BACKUP_DAMAGED: EXIT_STATUS.unsound,
  MANIFEST_CORRUPT: EXIT_STATUS.unsound,
  EXTENT_CORRUPT: EXIT_STATUS.unsound,
  REPOSITORY_CORRUPT: EXIT_STATUS.unsound,
  RESTORE_CHECK_FAILED: EXIT_STATUS.unsound,
  DATABASE_LOCKED: EXIT_STATUS.locked,
  BACKUP_NOT_FOUND: EXIT_STATUS.notFound,
  STORE_UNAVAILABLE: EXIT_STATUS.unreachable,
  STORE_THROTTLED: EXIT_STATUS.unreachable,
  START_REFUSED_STORE_UNREACHABLE: EXIT_STATUS.unreachable,
};

/** The status for a failure. */
export function exitStatusFor(code: ErrorCode | undefined): number {
  return (code === undefined ? undefined : BY_CODE[code]) ?? EXIT_STATUS.failed;
}
