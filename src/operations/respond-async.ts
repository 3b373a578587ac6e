import type { Request, Response } from 'express';
import { auditNote } from '../http/audit-note.js';
import type { Operation } from './operation.js';
import type { StartedOperation } from './operations.service.js';
import { prefers } from './prefer.js';

/** Whether the client wants `202 Accepted` and an operation to poll: `Prefer: respond-async`. */
export function respondAsync(request: Pick<Request, 'headers'>): boolean {
  return prefers(request.headers.prefer, 'respond-async');
}

/**
 * Answers a request that started long work: with the operation at once where the client prefers that, else with the
 * result when it is there.
 *
 * @returns the body of the answer
 */
export async function answerOperation<T>(
  request: Request,
  response: Response,
  { operation, finished }: StartedOperation<T>,
): Promise<T | Operation> {
  auditNote(request, { operation: operation.id });
  // Caches must not hand a 202 to a client that did not ask for one.
  response.vary('Prefer');
  if (!respondAsync(request)) return finished;
  response.status(202).set({
    Location: `/api/admin/operations/${operation.id}`,
    'Preference-Applied': 'respond-async',
  });
  return operation;
}
