import { rateLimit, type RateLimitRequestHandler } from 'express-rate-limit';
import { EiderError } from '../errors/eider-error.js';
import { isAdminRequest } from './admin-path.js';

const WINDOW_MS = 60_000;

/**
 * Bounds how often one address may try keys: every request to the admin API, known route or not, and any other request
 * that presents a key. Counted in memory and ahead of authentication, so that wrong keys count, too.
 */
export function adminRateLimit(perMinute: number): RateLimitRequestHandler {
  return rateLimit({
    windowMs: WINDOW_MS,
    limit: perMinute,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    skip: (request) => !isAdminRequest(request) && request.headers.authorization === undefined,
    // Whether the header of a proxy is believed is decided by TRUST_PROXY_HOPS; a client that sends one is no fault.
    validate: { xForwardedForHeader: false },
    handler: (request, _response, next) => {
      const resetTime = 'rateLimit' in request ? resetOf(request.rateLimit) : undefined;
      const waitMs = resetTime === undefined ? WINDOW_MS : resetTime.getTime() - Date.now();
      next(
        new EiderError('RATE_LIMITED', `This address may send ${perMinute} requests per minute.`, {
          retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)),
        }),
      );
    },
  });
}

function resetOf(state: unknown): Date | undefined {
  const known = typeof state === 'object' && state !== null && 'resetTime' in state;
  return known && state.resetTime instanceof Date ? state.resetTime : undefined;
}
