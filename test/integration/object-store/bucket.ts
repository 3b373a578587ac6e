import type { BucketConfig } from '../../../src/config/store.config.js';
import { S3ObjectStore } from '../../../src/object-store/s3/s3-object-store.js';
import type { Pacing } from '../../../src/object-store/s3/s3-requests.js';
import type { S3Server } from '../../support/s3/s3-server.js';

/** Configuration of a store over a server's bucket. */
export function configOf(server: S3Server, overrides: Partial<BucketConfig> = {}): BucketConfig {
  return {
    kind: 'bucket',
    endpoint: server.endpoint,
    region: server.region,
    ...server.credentials,
    bucket: server.bucket,
    prefix: 'backups/',
    maxConcurrency: 8,
    maxAttempts: 6,
    requestTimeoutMs: 60_000,
    ...overrides,
  };
}

/** Pauses that take no time but let it pass for the server; `pauses` keeps them, ms. */
export function pacingOf(server: S3Server): Pacing & { readonly pauses: number[] } {
  const pauses: number[] = [];
  return {
    pauses,
    random: () => 1,
    pause: async (ms, signal) => {
      signal?.throwIfAborted();
      pauses.push(ms);
      server.advance(ms);
      await Promise.resolve();
    },
  };
}

/** A store over a server's bucket whose pauses take no time. */
export function openBucket(server: S3Server, overrides: Partial<BucketConfig> = {}): S3ObjectStore {
  return new S3ObjectStore(configOf(server, overrides), pacingOf(server));
}
