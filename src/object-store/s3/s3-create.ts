import { EiderError, isEiderError } from '../../errors/eider-error.js';
import type { StoreFailure } from './s3-failure.js';
import { putRequest } from './s3-put.js';
import type { S3Requests } from './s3-requests.js';

/** Whether a store honours `If-None-Match: *`; unknown until it has refused a write on that ground, or said 501. */
export type ConditionalWrites = 'unknown' | 'yes' | 'no';

/** An object to be created, and the reading that settles doubts about it. */
export interface Creation {
  /** The full key in the bucket. */
  readonly key: string;
  readonly body: Buffer;
  readonly signal: AbortSignal | undefined;
  /** The object's bytes, or undefined where there is none. */
  readonly readBack: () => Promise<Buffer | undefined>;
  /** Called with what the store's answer says about conditional writes. */
  readonly learned: (support: ConditionalWrites) => void;
}

/** The store cannot do conditional writes (501). */
export class Unsupported extends Error {}

/**
 * Create-only write that never takes another writer's object for its own, and never its own for another's.
 *
 * A clear refusal before anything was in doubt is final. Once the answer to an attempt was lost (or was a 5xx, which Ceph
 * gives to the losers of a race), the key is read back: our bytes mean that the attempt went through, other bytes mean
 * that another writer was first, nothing there means try again.
 *
 * @throws STORE_EXISTS, or Unsupported
 */
export async function createObject(requests: S3Requests, creation: Creation): Promise<void> {
  const { key, body, signal } = creation;
  const doing = `Creating ${key}`;
  const request = putRequest(requests.config.bucket, key, body, { ifAbsent: true });
  let doubt = false;
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await requests.once(doing, request, signal);
    if ('value' in outcome) return;
    let { failure } = outcome;
    if (failure.status === 501) throw new Unsupported(failure.reason);
    const refused = failure.status === 412 || failure.status === 409;
    if (refused) creation.learned('yes');
    if (refused && !doubt) throw exists(requests, key);
    doubt ||= failure.uncertain;
    if (doubt && (await settled(requests, creation))) return;
    // Refused, but the object is gone again (or not there yet, while another attempt is at work): worth another try.
    if (refused) failure = { ...failure, code: 'STORE_UNAVAILABLE', retryable: true } satisfies StoreFailure;
    await requests.pauseOrThrow(doing, failure, attempt, signal);
  }
}

/** True when the key holds our bytes; throws STORE_EXISTS when it holds others; false when it holds nothing. */
async function settled(requests: S3Requests, creation: Creation): Promise<boolean> {
  const found = await creation.readBack();
  if (found === undefined) return false;
  if (found.equals(creation.body)) return true;
  throw exists(requests, creation.key);
}

/** The refusal of a create-only write. */
export function exists(requests: S3Requests, key: string): EiderError {
  return new EiderError('STORE_EXISTS', `${key} in ${requests.place} exists already.`);
}

/** The value, or undefined for STORE_NOT_FOUND. */
export async function orAbsent<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (isEiderError(error, 'STORE_NOT_FOUND')) return undefined;
    throw error;
  }
}
