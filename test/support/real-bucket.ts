import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  ListObjectsV2Command,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { setTimeout as pause } from 'node:timers/promises';
import { randomUUID } from 'node:crypto';
import type { BucketConfig } from '../../src/config/store.config.js';
import { S3ObjectStore } from '../../src/object-store/s3/s3-object-store.js';
import type { OwnBucket } from './s3/s3-passage.js';

// Set by test/ceph/run.sh, or by hand for any other S3-compatible store with a bucket to spare.
const {
  S3_TEST_ENDPOINT: endpoint,
  S3_TEST_ACCESS_KEY_ID: accessKeyId = '',
  S3_TEST_SECRET_ACCESS_KEY: secretAccessKey = '',
  S3_TEST_BUCKET: bucket = 'eider-test',
  S3_TEST_REGION: region = 'us-east-1',
} = process.env;

/** Whether there is a real S3 store to test against. */
export const HAS_REAL_BUCKET = endpoint !== undefined;

/** Names the store in the names of tests, or tells why they are skipped. */
export const REAL_BUCKET = endpoint ?? 'skipped: runs where S3_TEST_ENDPOINT is set (test/ceph/run.sh)';

/** A prefix of its own in the bucket of a real S3 store. */
export interface RealBucket {
  /** A client of it; each is a writer of its own. The caller closes it. */
  open(): S3ObjectStore;
  /** Removes everything below the prefix. */
  empty(): Promise<void>;
}

/** Makes the bucket where it is missing. */
export async function realBucket(purpose: string): Promise<RealBucket> {
  const client = new S3Client({ ...needServer(), forcePathStyle: true });
  // Exists already where the store was used before, or was made by hand with rights that end there.
  await client.send(new CreateBucketCommand({ Bucket: bucket })).catch(() => undefined);
  client.destroy();
  const config = realBucketConfig({ ...needServer(), bucket }, `${purpose}-${randomUUID()}/`);
  return {
    open: () => new S3ObjectStore(config),
    empty: async () => {
      const cleaner = new S3ObjectStore(config);
      for await (const { key } of cleaner.list('')) await cleaner.delete(key);
      await cleaner.close();
    },
  };
}

/** A new bucket on the real S3 store. Needs the right to make and remove buckets. */
export async function ownBucket(): Promise<OwnBucket> {
  const server = needServer();
  const Bucket = `eider-${randomUUID()}`;
  const client = new S3Client({ ...server, forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket }));
  return {
    ...server,
    bucket: Bucket,
    remove: async () => {
      for (let triesLeft = 20; ; triesLeft--) {
        await empty(client, Bucket);
        const refusal = await removeBucket(client, Bucket);
        if (refusal === undefined) break;
        if (triesLeft === 0) throw refusal;
        await pause(250);
      }
      client.destroy();
    },
  };
}

async function empty(client: S3Client, Bucket: string): Promise<void> {
  for (let more = true; more;) {
    const { Contents = [], IsTruncated } = await client.send(new ListObjectsV2Command({ Bucket }));
    await Promise.all(Contents.map(({ Key }) => client.send(new DeleteObjectCommand({ Bucket, Key }))));
    more = IsTruncated === true;
  }
}

/** The refusal where it holds something again: what a process that was killed had sent can arrive after its end. */
async function removeBucket(client: S3Client, Bucket: string): Promise<Error | undefined> {
  try {
    await client.send(new DeleteBucketCommand({ Bucket }));
    return undefined;
  } catch (error) {
    if (error instanceof S3ServiceException && error.name === 'BucketNotEmpty') return error;
    throw error;
  }
}

/** Configuration of a store over a bucket of the real S3 store. */
export function realBucketConfig(
  { endpoint: at, credentials, ...where }: Omit<OwnBucket, 'remove'>,
  prefix = 'backups/',
): BucketConfig {
  return {
    kind: 'bucket',
    endpoint: at,
    region: where.region,
    bucket: where.bucket,
    ...credentials,
    prefix,
    maxConcurrency: 8,
    maxAttempts: 6,
    requestTimeoutMs: 60_000,
  };
}

function needServer(): Pick<OwnBucket, 'endpoint' | 'region' | 'credentials'> {
  if (endpoint === undefined) throw new Error('S3_TEST_ENDPOINT is not set');
  return { endpoint, region, credentials: { accessKeyId, secretAccessKey } };
}
