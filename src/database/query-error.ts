import { EiderError, isEiderError, messageOf } from '../errors/eider-error.js';

/** Why a running query was interrupted. */
export type Interruption = 'timeout' | 'cancelled' | 'closing';

/**
 * Puts a failure of DuckDB into Eider's family where the operator can do something about it; others stay as they are.
 */
export function describeQueryError(error: unknown, interruption: Interruption | undefined): unknown {
  if (isEiderError(error)) return error;
  const message = messageOf(error);
  if (interruption === 'timeout') return new EiderError('QUERY_TIMEOUT', 'The query took too long.', { cause: error });
  if (interruption === 'cancelled')
    return new EiderError('QUERY_CANCELLED', 'The query was cancelled.', { cause: error });
  if (interruption === 'closing') {
    return new EiderError('DATABASE_CLOSED', 'The database is being closed.', { cause: error, retryAfterSeconds: 2 });
  }
  if (/No space left on device|ENOSPC/i.test(message)) {
    return new EiderError('DATABASE_DISK_FULL', `The disk of the database is full: ${message}`, { cause: error });
  }
  if (isFatal(error)) return new EiderError('DATABASE_CORRUPT', `DuckDB has given up: ${message}`, { cause: error });
  return error;
}

/** Whether DuckDB has made the whole instance invalid: every further query fails until the file is opened again. */
export function isFatal(error: unknown): boolean {
  return /FATAL Error|database has been invalidated|has been invalidated because/i.test(messageOf(error));
}

/** Whether two transactions changed the same rows, and this one may be tried again. */
export function isConflict(error: unknown): boolean {
  return /TransactionContext Error: .*[Cc]onflict|Transaction conflict|write-write conflict/i.test(messageOf(error));
}

/** Whether a checkpoint did not run because of other transactions. */
export function isCheckpointBlocked(error: unknown): boolean {
  return /Cannot CHECKPOINT/i.test(messageOf(error));
}

/** Puts a failure to open a database file into words. */
export function describeOpenError(error: unknown, path: string): EiderError {
  const message = messageOf(error);
  const options = { cause: error, details: { path } };
  if (/Could not set lock|Conflicting lock is held/i.test(message)) {
    const pid = /PID (\d+)/.exec(message)?.[1];
    return new EiderError(
      'DATABASE_LOCKED',
      `${path} is in use by ${pid === undefined ? 'another process' : `process ${pid}`}.`,
      options,
    );
  }
  if (/No space left on device|ENOSPC/i.test(message)) {
    return new EiderError('DATABASE_DISK_FULL', `${path} cannot be opened: the disk is full.`, options);
  }
  if (/Permission denied|Cannot open file .*(Read-only|No such file)/i.test(message)) {
    return new EiderError('DATABASE_PATH_INVALID', `${path} cannot be opened: ${message}`, options);
  }
  if (/newer version of DuckDB|storage version number/i.test(message)) {
    return new EiderError('DATABASE_VERSION_NEWER', `${path}: ${message}`, options);
  }
  return new EiderError('DATABASE_CORRUPT', `${path} cannot be opened: ${message}`, options);
}
