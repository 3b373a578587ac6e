import type { NextFunction, Request, Response } from 'express';
import { isAdminRequest, isHealthRequest } from './admin-path.js';

/** Keeps caches out of health and the admin API: what they answer is of this moment and for this key. */
export function noStore(request: Request, response: Response, next: NextFunction): void {
  if (isAdminRequest(request) || isHealthRequest(request)) response.setHeader('Cache-Control', 'no-store');
  next();
}
