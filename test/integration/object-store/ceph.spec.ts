import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { describe, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { BucketConfig } from '../../../src/config/store.config.js';
import { S3ObjectStore } from '../../../src/object-store/s3/s3-object-store.js';
import { objectStoreContract } from './contract.js';

// Set by test/ceph/run.sh, or by hand for any other S3-compatible store with a bucket to spare.
const {
  S3_TEST_ENDPOINT: endpoint,
  S3_TEST_ACCESS_KEY_ID: accessKeyId = '',
  S3_TEST_SECRET_ACCESS_KEY: secretAccessKey = '',
  S3_TEST_BUCKET: bucket = 'eider-test',
  S3_TEST_REGION: region = 'us-east-1',
} = process.env;

if (endpoint === undefined) {
  describe('the object store contract: a real S3 store', () => {
    it.skip('runs where S3_TEST_ENDPOINT is set (test/ceph/run.sh)', () => undefined);
  });
} else {
  objectStoreContract(`the bucket at ${endpoint}`, async () => {
    const credentials = { accessKeyId, secretAccessKey };
    const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
    // Exists already where the store was used before, or was made by hand with rights that end there.
    await client.send(new CreateBucketCommand({ Bucket: bucket })).catch(() => undefined);
    client.destroy();
    const config: BucketConfig = {
      kind: 'bucket',
      endpoint,
      region,
      accessKeyId,
      secretAccessKey,
      bucket,
      prefix: `contract-${randomUUID()}/`,
      maxConcurrency: 8,
      maxAttempts: 6,
      requestTimeoutMs: 60_000,
    };
    const store = new S3ObjectStore(config);
    return {
      store,
      other: new S3ObjectStore(config),
      partSize: 5 * 1024 * 1024,
      dispose: async () => {
        const cleaner = new S3ObjectStore(config);
        for await (const { key } of cleaner.list('')) await cleaner.delete(key);
        await cleaner.close();
      },
    };
  });
}
