import { describe, it } from '@jest/globals';
import { HAS_REAL_BUCKET, REAL_BUCKET, realBucket } from '../../support/real-bucket.js';
import { objectStoreContract } from './contract.js';

if (!HAS_REAL_BUCKET) {
  describe('the object store contract: a real S3 store', () => {
    it.skip(REAL_BUCKET, () => undefined);
  });
} else {
  objectStoreContract(`the bucket at ${REAL_BUCKET}`, async () => {
    const bucket = await realBucket('contract');
    return {
      store: bucket.open(),
      other: bucket.open(),
      partSize: 5 * 1024 * 1024,
      dispose: () => bucket.empty(),
    };
  });
}
