import type { NextFunction, Request, Response } from 'express';
import { EiderError } from '../errors/eider-error.js';
import { isApiRequest } from './admin-path.js';

/** Below the prefix Nest answers what no route does; beyond it Express would, with a web page in place of a problem. */
export function apiOnly(request: Request, _response: Response, next: NextFunction): void {
  if (!isApiRequest(request)) throw new EiderError('NOT_FOUND', 'No route answers this method and path.');
  next();
}
