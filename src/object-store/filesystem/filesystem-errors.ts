import type { ErrorCode } from '../../errors/catalogue.js';
import { EiderError, messageOf } from '../../errors/eider-error.js';

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'STORE_NOT_FOUND',
  ENOSPC: 'STORE_NO_SPACE',
  EDQUOT: 'STORE_NO_SPACE',
  EFBIG: 'STORE_NO_SPACE',
  EACCES: 'STORE_DENIED',
  EPERM: 'STORE_DENIED',
  EROFS: 'STORE_DENIED',
  // O_NOFOLLOW met a symbolic link: it could lead anywhere, so it is never followed below the root.
  ELOOP: 'STORE_DENIED',
  ENAMETOOLONG: 'STORE_KEY_INVALID',
  EEXIST: 'STORE_EXISTS',
  EIO: 'STORE_UNAVAILABLE',
  ESTALE: 'STORE_UNAVAILABLE',
  ENXIO: 'STORE_UNAVAILABLE',
  ENODEV: 'STORE_UNAVAILABLE',
  EMFILE: 'STORE_UNAVAILABLE',
  ENFILE: 'STORE_UNAVAILABLE',
  ENOMEM: 'STORE_UNAVAILABLE',
  ETIMEDOUT: 'STORE_UNAVAILABLE',
  EHOSTDOWN: 'STORE_UNAVAILABLE',
  ENOTCONN: 'STORE_UNAVAILABLE',
  ABORT_ERR: 'STORE_ABORTED',
};

/** The `code` of a system error, or undefined. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** True for the answer to a path that is not there, or that runs through a file. */
export function isAbsent(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/**
 * Turns what the file system threw into an error of the catalogue.
 *
 * @param doing - the beginning of the sentence: `Writing x to folder /y`
 */
export function filesystemError(error: unknown, doing: string): EiderError {
  if (error instanceof EiderError) return error;
  const code = systemCode(error);
  if (code === 'ENOTDIR' || code === 'EISDIR') {
    return new EiderError('STORE_FAILED', `${doing} failed: a file is where a folder should be, or the reverse.`, {
      cause: error,
    });
  }
  return new EiderError((code && CODES[code]) || 'STORE_FAILED', `${doing} failed: ${messageOf(error)}`, {
    cause: error,
  });
}
