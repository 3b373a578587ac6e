import type { Response } from 'express';
import { EiderError } from '../errors/eider-error.js';

/** Aborted when a response is over, sent or broken off: work that only its client waits for can end. */
export function whenClosed(response: Response): AbortSignal {
  const closed = new AbortController();
  response.once('close', () => closed.abort(new EiderError('STORE_ABORTED', 'The client went away.')));
  return closed.signal;
}
