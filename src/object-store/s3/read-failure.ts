import { EiderError } from '../../errors/eider-error.js';
import { failureOfAnswer, failureOfConnection, failureOfForeigner, type StoreFailure } from './s3-failure.js';

/** A failure found by this adapter rather than thrown by the SDK. */
export class FailedRequest extends Error {
  constructor(readonly failure: StoreFailure) {
    super(failure.reason);
  }
}

/** What the SDK puts on the errors it throws; all of it may be absent. */
interface SdkError {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, string>> };
}

/** Longest piece of a store's own words that is repeated in a message. */
const LONGEST_QUOTE = 300;

/** What the SDK calls an answer that has no error code, such as any answer to HEAD. */
const NAMELESS = new Set(['Unknown', 'UnknownError', 'Error', 'S3ServiceException']);

/** Classifies anything that a request threw, other than our own errors. */
export function readFailure(error: unknown): StoreFailure {
  if (error instanceof FailedRequest) return error.failure;
  if (typeof error !== 'object' || error === null) return failureOfConnection(undefined, String(error));
  const { name, code, message: said, $metadata, $response }: SdkError = error;
  const status = $metadata?.httpStatusCode ?? $response?.statusCode;
  const message = (typeof said === 'string' ? said : '').slice(0, LONGEST_QUOTE);
  if (status === undefined) return failureOfConnection(typeof code === 'string' ? code : undefined, message);
  const headers = $response?.headers ?? {};
  if (status < 300) return failureOfForeigner(`the answer ${status} is not of the form that S3 has`, status);
  if (status < 400)
    return failureOfForeigner(`the answer ${status} points elsewhere (${headers['location'] ?? ''})`, status);
  if (/^text\/html/i.test(headers['content-type'] ?? '') && status < 500 && status !== 429) {
    return failureOfForeigner(`the answer ${status} is a web page`, status);
  }
  const known = typeof name === 'string' && /^[A-Z][A-Za-z0-9]+$/.test(name) && !NAMELESS.has(name) ? name : '';
  return failureOfAnswer(known, known === '' ? '' : message, status, retryAfter(headers));
}

function retryAfter(headers: Readonly<Record<string, string>>): number | undefined {
  const text = headers['retry-after'] ?? '';
  return /^\d{1,6}$/.test(text) ? Number(text) * 1000 : undefined;
}

/** The error for the caller. The SDK's own error is not kept: on a 403 it holds the access key id and the signature. */
export function storeError(failure: StoreFailure, doing: string, attempts: number): EiderError {
  const tries = attempts > 1 ? ` (${attempts} attempts)` : '';
  return new EiderError(failure.code, `${doing} failed${tries}: ${failure.reason}.`, {
    details: { attempts, ...(failure.status === undefined ? {} : { status: failure.status }) },
    ...(failure.retryable ? { retryAfterSeconds: Math.ceil((failure.retryAfterMs ?? 10_000) / 1000) } : {}),
  });
}
