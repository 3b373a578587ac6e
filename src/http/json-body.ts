import type { NextFunction, Request, Response } from 'express';
import { invalidRequest } from './problem.js';

/**
 * Refuses a body that the JSON parser left alone because of its Content-Type: it would be taken for no body at all, and
 * what it asked for would be ignored in silence.
 */
export function refuseOtherBodies(request: Request, _response: Response, next: NextFunction): void {
  const hasBody =
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
  if (hasBody && request.body === undefined) {
    throw invalidRequest('The body must be JSON, sent with Content-Type: application/json.');
  }
  next();
}
