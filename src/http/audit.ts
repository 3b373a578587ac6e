import { Logger } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { isAdminRequest } from './admin-path.js';
import { auditNoteOf } from './audit-note.js';
import { requestIdOf } from './request-id.js';

const logger = new Logger('Audit');

/**
 * Writes one line per call of the admin API when it ends, refused ones included: who, what, how it ended. The query is
 * left out and nothing of headers or bodies is written.
 */
export function audit(request: Request, response: Response, next: NextFunction): void {
  if (!isAdminRequest(request)) return next();
  const startedMs = performance.now();
  const { method, path, ip } = request;
  response.once('close', () => {
    const { key, role, operation, backup } = auditNoteOf(request);
    const name = backup ?? request.params['name'];
    logger.log('admin call', {
      key: key ?? '-',
      role: role ?? '-',
      method,
      path: printable(path),
      status: response.writableFinished ? response.statusCode : 'broken off',
      ms: Math.round(performance.now() - startedMs),
      address: ip ?? '-',
      requestId: requestIdOf(request) ?? '-',
      ...(operation === undefined ? {} : { operation }),
      ...(typeof name === 'string' ? { backup: printable(name) } : {}),
    });
  });
  next();
}

/** Text from a client, made safe for a log: no line ends, no terminal escapes, not long. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
}
