import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { NextFunction, Request, Response } from 'express';

const ids = new WeakMap<IncomingMessage, string>();

/** What is taken over from a proxy: short, and harmless in logs and headers. */
const SANE = /^[A-Za-z0-9._:-]{1,128}$/;

/** Gives every request an id, the client's own where it is sane, and returns it as `X-Request-Id`. */
export function requestId(request: Request, response: Response, next: NextFunction): void {
  const given = request.headers['x-request-id'];
  const id = typeof given === 'string' && SANE.test(given) ? given : randomUUID();
  ids.set(request, id);
  response.setHeader('X-Request-Id', id);
  next();
}

/** The id of a request; undefined before the middleware has seen it. */
export function requestIdOf(request: IncomingMessage): string | undefined {
  return ids.get(request);
}
