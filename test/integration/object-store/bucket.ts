import type { BucketConfig } from '../../../src/config/store.config.js';
import { S3ObjectStore } from '../../../src/object-store/s3/s3-object-store.js';
import type { Pacing } from '../../../src/object-store/s3/s3-requests.js';
import type { S3Double } from '../../support/s3/s3-double.js';

/** Configuration of a store over a double's bucket. */
export function configOf(double: S3Double, overrides: Partial<BucketConfig> = {}): BucketConfig {
  return {
    kind: 'bucket',
    endpoint: double.endpoint,
    region: 'auto',
    ...double.credentials,
    bucket: double.bucket,
    prefix: 'backups/',
    maxConcurrency: 8,
    maxAttempts: 6,
    requestTimeoutMs: 60_000,
    ...overrides,
  };
}

/** Pauses that take no time but let it pass for the double; `pauses` keeps them, ms. */
export function pacingOf(double: S3Double): Pacing & { readonly pauses: number[] } {
  const pauses: number[] = [];
  return {
    pauses,
    random: () => 1,
    pause: async (ms, signal) => {
      signal?.throwIfAborted();
      pauses.push(ms);
      double.advance(ms);
      await Promise.resolve();
    },
  };
}

/** A store over a double's bucket whose pauses take no time. */
export function openBucket(double: S3Double, overrides: Partial<BucketConfig> = {}): S3ObjectStore {
  return new S3ObjectStore(configOf(double, overrides), pacingOf(double));
}
