import { S3Double } from '../../support/s3/s3-double.js';
import { openBucket } from './bucket.js';
import { objectStoreContract } from './contract.js';

objectStoreContract("a bucket with R2's rules", async () => {
  const double = await S3Double.start({ pageSize: 3 });
  return {
    store: openBucket(double),
    other: openBucket(double),
    partSize: 5 * 1024 * 1024,
    dispose: () => double.stop(),
  };
});
