import { isEiderError } from '../errors/eider-error.js';

/**
 * Failures that say nothing against what was fetched before: the store did not answer, slowed down or refused, or the
 * service is ending. Damage, a full disk and refused permissions are not among them.
 */
const INTERRUPTIONS: ReadonlySet<string> = new Set([
  'STORE_UNAVAILABLE',
  'STORE_THROTTLED',
  'STORE_FAILED',
  'STORE_DENIED',
  'STORE_CLOCK_SKEW',
  'STORE_BUCKET_MISSING',
  'STORE_ABORTED',
  'SHUTTING_DOWN',
]);

/** Whether a restore that failed so can go on where it was. Pure. */
export function isInterruption(error: unknown): boolean {
  return isEiderError(error) && INTERRUPTIONS.has(error.code);
}
