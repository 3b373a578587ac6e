import type { ErrorCode } from '../../errors/catalogue.js';

/** What went wrong with one request, and what that allows. */
export interface StoreFailure {
  readonly code: ErrorCode;
  /** For the operator: what the store said or what happened on the way. */
  readonly reason: string;
  /** Worth another attempt. */
  readonly retryable: boolean;
  /** The request may have taken effect although it failed. */
  readonly uncertain: boolean;
  /** The store is overloaded: fewer requests at once. */
  readonly overloaded: boolean;
  /** HTTP status, where there was an answer. */
  readonly status?: number;
  /** How long the store asks to wait. */
  readonly retryAfterMs?: number;
}

type Kind = Omit<StoreFailure, 'reason'>;

const kind = (code: ErrorCode, marks: Partial<Kind> = {}): Kind => ({
  code,
  retryable: false,
  uncertain: false,
  overloaded: false,
  ...marks,
});

const DENIED = kind('STORE_DENIED');
const THROTTLED = kind('STORE_THROTTLED', { retryable: true, overloaded: true });
/** The request never reached the store. */
const UNREACHED = kind('STORE_UNAVAILABLE', { retryable: true });
/** The request was sent, and the answer did not come. */
const LOST = kind('STORE_UNAVAILABLE', { retryable: true, uncertain: true });
/** The connection is refused on principle: another attempt ends the same. */
const HOPELESS = kind('STORE_UNAVAILABLE');
const NO_SPACE = kind('STORE_NO_SPACE');
/** The body was damaged on the way up: nothing was stored. */
const DAMAGED = kind('STORE_FAILED', { retryable: true });

/** S3 error codes whose HTTP status alone would mislead. Source: S3 API reference, "Error responses"; R2's error list. */
const BY_NAME: Readonly<Record<string, Kind>> = {
  NoSuchBucket: kind('STORE_BUCKET_MISSING'),
  NoSuchKey: kind('STORE_NOT_FOUND'),
  // Not STORE_NOT_FOUND: the object is not what is missing.
  NoSuchUpload: kind('STORE_FAILED'),
  NotFound: kind('STORE_NOT_FOUND'),
  AccessDenied: DENIED,
  AllAccessDisabled: DENIED,
  InvalidAccessKeyId: DENIED,
  SignatureDoesNotMatch: DENIED,
  ExpiredToken: DENIED,
  InvalidToken: DENIED,
  Unauthorized: DENIED,
  RequestTimeTooSkewed: kind('STORE_CLOCK_SKEW'),
  RequestExpired: kind('STORE_CLOCK_SKEW'),
  SlowDown: THROTTLED,
  TooManyRequests: THROTTLED,
  Throttling: THROTTLED,
  ThrottlingException: THROTTLED,
  XAmzContentSHA256Mismatch: DAMAGED,
  BadDigest: DAMAGED,
  IncompleteBody: UNREACHED,
  RequestTimeout: UNREACHED,
  QuotaExceeded: NO_SPACE,
  StorageFull: NO_SPACE,
  XMinioStorageFull: NO_SPACE,
  InvalidRange: kind('STORE_CORRUPT'),
};

/** Codes of Node for connections that were never made: nothing was sent. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL']);

/** Codes that mean a wrong certificate or no TLS at all at the other end. */
const TLS = /^(CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|EPROTO)/;

/** Classifies an answer of the store by its error code and HTTP status. */
export function failureOfAnswer(name: string, message: string, status: number, retryAfterMs?: number): StoreFailure {
  const found = BY_NAME[name] ?? byStatus(status);
  const said = message === 'UnknownError' || message === name ? '' : message;
  const reason = `the store answered ${[status, name, said].filter((part) => part !== '').join(' ')}`;
  return { ...found, reason, status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

function byStatus(status: number): Kind {
  if (status === 401 || status === 403) return DENIED;
  if (status === 404) return kind('STORE_NOT_FOUND');
  if (status === 408) return LOST;
  if (status === 416) return kind('STORE_CORRUPT');
  if (status === 429) return THROTTLED;
  if (status === 501) return kind('STORE_FAILED');
  // A gateway may say 503 after the request went through.
  if (status === 503) return { ...THROTTLED, uncertain: true };
  if (status === 507) return NO_SPACE;
  if (status >= 500) return LOST;
  return kind('STORE_FAILED');
}

/** Classifies a failure of the connection by Node's error code. */
export function failureOfConnection(code: string | undefined, message: string): StoreFailure {
  const reason =
    [code, message].filter((part) => part !== undefined && part !== '').join(': ') || 'the connection broke';
  if (code !== undefined && NEVER_SENT.has(code)) return { ...UNREACHED, reason };
  if (code !== undefined && TLS.test(code)) {
    return {
      ...HOPELESS,
      reason: `${reason}; the endpoint has no valid certificate for its name, or does not speak TLS`,
    };
  }
  return { ...LOST, reason };
}

/** No complete answer within the bound. Taken as a sign of overload: fewer requests at once go faster. */
export function failureOfTimeout(timeoutMs: number): StoreFailure {
  return { ...LOST, overloaded: true, reason: `no complete answer within ${timeoutMs} ms` };
}

/** Something answered that is no S3 store, or the answer lacks what S3 promises. */
export function failureOfForeigner(reason: string, status?: number): StoreFailure {
  const marks = status === undefined ? {} : { status };
  return { ...kind('STORE_FAILED', marks), reason: `${reason}; is R2_ENDPOINT the address of an S3-compatible store?` };
}
