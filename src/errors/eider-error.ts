import { ERRORS, type ErrorCode } from './catalogue.js';

/** What an error carries beside its code. */
export interface EiderErrorOptions {
  /** The failure underneath, kept for the log; never shown to an HTTP client. */
  readonly cause?: unknown;
  /** Facts for programs (names, sizes in bytes, times); no secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** Seconds after which the caller may try again; sent as `Retry-After`. */
  readonly retryAfterSeconds?: number;
}

/**
 * The one error family of Eider.
 *
 * `code` is stable and documented in docs/errors.md; `message` says what happened in this case; what is safe
 * and what to do come from the catalogue.
 */
export class EiderError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: EiderErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'EiderError';
    this.code = code;
    this.details = options.details ?? {};
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  /** HTTP status of the answer (RFC 9110). */
  get status(): number {
    return ERRORS[this.code].status;
  }

  /** What is safe and what to do, for the operator. */
  get advice(): string {
    return ERRORS[this.code].advice;
  }
}

/** True for an error of this family, of the given code where one is named. */
export function isEiderError(error: unknown, code?: ErrorCode): error is EiderError {
  return error instanceof EiderError && (code === undefined || error.code === code);
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message);
  return String(error);
}
