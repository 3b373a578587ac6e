import { HttpException } from '@nestjs/common';
import type { ErrorCode } from '../errors/catalogue.js';
import { EiderError } from '../errors/eider-error.js';
import { invalidRequest } from './problem.js';

/**
 * Puts what Nest, Express and its body parser throw (Nest hands all of it on as HttpException) into Eider's error
 * family. Anything else comes back as it is and becomes INTERNAL in the problem document.
 */
export function toEiderError(thrown: unknown): unknown {
  if (!(thrown instanceof HttpException)) return thrown;
  const status = thrown.getStatus();
  if (status < 400 || status >= 500) return thrown;
  const type = bodyErrorType(thrown.cause);
  if (type !== undefined && status !== 413) return invalidRequest(BODY_DETAILS[type] ?? BODY_UNREADABLE);
  const code = BY_STATUS[status] ?? 'REQUEST_INVALID';
  return new EiderError(code, DETAILS[code] ?? 'The request cannot be answered as it was sent.', { cause: thrown });
}

const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  413: 'REQUEST_TOO_LARGE',
  429: 'RATE_LIMITED',
};

const DETAILS: Readonly<Partial<Record<ErrorCode, string>>> = {
  NOT_FOUND: 'No route answers this method and path.',
  REQUEST_TOO_LARGE: 'The body is larger than BODY_LIMIT_KB allows.',
};

/** By the `type` of body-parser's errors. Their own messages quote the body, which may hold secrets. */
const BODY_DETAILS: Readonly<Record<string, string>> = {
  'entity.parse.failed': 'The body is not a JSON object or array.',
  'request.aborted': 'The body ended too early.',
  'request.size.invalid': 'The body is not as long as Content-Length says.',
};
const BODY_UNREADABLE = 'The body cannot be read: send JSON in UTF-8, plain or compressed with gzip, deflate or br.';

function bodyErrorType(cause: unknown): string | undefined {
  const known = typeof cause === 'object' && cause !== null && 'type' in cause;
  return known && typeof cause.type === 'string' ? cause.type : undefined;
}
