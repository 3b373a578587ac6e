import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { S3ObjectStore } from '../../../src/object-store/s3/s3-object-store.js';
import { IN_EVERY_WAY } from '../../support/fault-loop.js';
import { S3Double } from '../../support/s3/s3-double.js';
import { openBucket } from './bucket.js';
import { bytes, chunked } from './contract.js';

const PART = 5 * 1024 * 1024;
const body = bytes(3 * PART + 1000);

describe('an upload to S3', () => {
  let s3: S3Double;
  let store: S3ObjectStore;

  beforeEach(async () => {
    s3 = await S3Double.start();
    store = openBucket(s3);
  });
  afterEach(async () => {
    await store.close();
    await s3.stop();
  });
  const upload = (signal?: AbortSignal): Promise<{ bytes: number }> =>
    store.upload('big', chunked(body, 1_000_000), { partSize: PART, ...(signal === undefined ? {} : { signal }) });
  const isThere = (): boolean => s3.objects.get('backups/big')?.equals(body) === true;

  it('is a single PUT when it fits into one part', async () => {
    await store.upload('small', chunked(body.subarray(0, PART), 1_000_000), { partSize: PART });
    expect(s3.log.map(({ operation }) => operation)).toEqual(['PutObject']);
  });

  it('has parts of exactly the same size, the last one excepted', async () => {
    await upload();
    const sizes = s3.log.filter(({ operation }) => operation === 'UploadPart').map(({ bytesIn }) => bytesIn);
    expect(sizes.sort((a, b) => a - b)).toEqual([1000, PART, PART, PART]);
    expect(isThere()).toBe(true);
  });

  it('has at most two parts on their way, and takes no more from the source than fits into a third', async () => {
    let taken = 0;
    const source = async function* (): AsyncGenerator<Buffer> {
      for await (const chunk of chunked(bytes(10 * PART), 1_000_000)) {
        taken += chunk.length;
        yield chunk;
      }
    };
    const gate = s3.faults.hold({ operation: 'UploadPart' }, 'before', Infinity);
    const uploading = store.upload('big', source(), { partSize: PART });
    await gate.reached;
    // The source is faster than this loop: once it stands still it waits for the gate.
    for (let still = 0, last = -1; still < 100; last = taken) {
      await new Promise(setImmediate);
      still = taken === last ? still + 1 : 0;
    }
    expect(taken).toBeLessThanOrEqual(3 * PART + 1_000_000);
    s3.faults.clear();
    await uploading;
  });

  it.each(['CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload'])(
    'survives a passing failure, a broken connection and a lost answer at %s',
    async (operation) => {
      s3.faults.add({ kind: 'status', status: 503 }, { operation });
      s3.faults.reset({ operation });
      s3.faults.loseAnswer({ operation });
      expect(await upload()).toEqual({ bytes: body.length });
      expect(isThere()).toBe(true);
    },
  );

  it('takes the object itself for the answer when the answer to Complete was lost', async () => {
    s3.faults.loseAnswer({ operation: 'CompleteMultipartUpload' });
    await upload();
    expect(s3.count('CompleteMultipartUpload')).toBe(1);
    expect(s3.count('HeadObject')).toBe(1);
  });

  it.each(['CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload'])(
    'shows nothing and keeps no parts when %s fails for good',
    async (operation) => {
      s3.faults.failAlways(403, { operation });
      await expect(upload()).rejects.toMatchObject({ code: 'STORE_DENIED' });
      expect(s3.objects.size).toBe(0);
      expect(s3.state.uploads.size).toBe(0);
    },
  );

  it('reports the failure of a part although the source is stuck', async () => {
    s3.faults.failAlways(403, { operation: 'UploadPart' });
    const source = async function* (): AsyncGenerator<Buffer> {
      yield* chunked(body.subarray(0, PART + 1), PART + 1);
      await new Promise(() => undefined);
    };
    await expect(store.upload('big', source(), { partSize: PART })).rejects.toMatchObject({ code: 'STORE_DENIED' });
  });

  it('discards its parts on abort while parts are on their way', async () => {
    const abort = new AbortController();
    const gate = s3.faults.hold({ operation: 'UploadPart' });
    const uploading = upload(abort.signal);
    await gate.reached;
    abort.abort();
    await expect(uploading).rejects.toMatchObject({ code: 'STORE_ABORTED' });
    expect(s3.count('AbortMultipartUpload')).toBe(1);
    expect(s3.state.uploads.size).toBe(0);
  });

  // Ten thousand requests.
  (IN_EVERY_WAY ? it : it.skip)('refuses more parts than S3 takes, naming the remedy', async () => {
    const tiny = await S3Double.start({ rules: { minPartSize: 1 } });
    const other = openBucket(tiny);
    const uploading = other.upload('big', chunked(bytes(10_001), 10_001), { partSize: 1 });
    await expect(uploading).rejects.toThrow(/10000 parts.*larger part size/);
    expect(tiny.state.uploads.size).toBe(0);
    await other.close();
    await tiny.stop();
  });

  describe('left unfinished by a process that died', () => {
    beforeEach(async () => {
      for (const key of ['backups/a', 'backups/b', 'elsewhere/c']) s3.state.begin(key);
      await Promise.resolve();
    });

    it('is discarded below the prefix once it is old enough', async () => {
      expect(await store.abortStaleUploads(60_000)).toBe(0);
      expect(await store.abortStaleUploads(-60_000)).toBe(2);
      expect([...s3.state.uploads.values()].map(({ key }) => key)).toEqual(['elsewhere/c']);
    });

    it('is found page by page', async () => {
      const paged = await S3Double.start({ pageSize: 2 });
      for (let upload = 0; upload < 7; upload += 1) paged.state.begin('backups/same');
      const other = openBucket(paged);
      expect(await other.abortStaleUploads(-60_000)).toBe(7);
      await other.close();
      await paged.stop();
    });

    it('says STORE_DENIED where the credentials may not', async () => {
      s3.faults.failAlways(403, { operation: 'AbortMultipartUpload' });
      await expect(store.abortStaleUploads(-60_000)).rejects.toMatchObject({ code: 'STORE_DENIED' });
    });
  });
});
