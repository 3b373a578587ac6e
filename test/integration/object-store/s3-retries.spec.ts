import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { S3ObjectStore } from '../../../src/object-store/s3/s3-object-store.js';
import { S3Double } from '../../support/s3/s3-double.js';
import { configOf, openBucket, pacingOf } from './bucket.js';
import { bytes, collect, keysOf } from './contract.js';

describe('the S3 adapter when a request fails', () => {
  let s3: S3Double;
  let store: S3ObjectStore;
  const body = bytes(10_000);

  beforeEach(async () => {
    s3 = await S3Double.start();
    store = openBucket(s3);
  });
  afterEach(async () => {
    await store.close();
    await s3.stop();
  });

  /** Every call that the port has, with the operation that it sends. */
  const calls: readonly [string, (open: S3ObjectStore) => Promise<unknown>][] = [
    ['PutObject', (open) => open.put('new', body)],
    ['GetObject', (open) => open.read('old')],
    ['GetObject', async (open) => collect((await open.open('old')).stream)],
    ['HeadObject', (open) => open.head('old')],
    ['ListObjectsV2', (open) => keysOf(open.list(''))],
    ['DeleteObject', (open) => open.delete('old')],
  ];

  describe.each(calls)('%s', (operation, call) => {
    beforeEach(async () => store.put('old', body));

    it.each([408, 429, 500, 502, 503, 504])('is repeated after %d', async (status) => {
      s3.faults.add({ kind: 'status', status }, { operation }, { times: 2 });
      const before = s3.count(operation);
      await call(store);
      expect(s3.count(operation) - before).toBe(3);
    });

    it('is repeated after a broken connection', async () => {
      s3.faults.reset({ operation }, 2);
      await call(store);
    });

    it.each([400, 403, 405, 409])('is not repeated after %d', async (status) => {
      s3.faults.failAlways(status, { operation });
      const before = s3.count(operation);
      await expect(call(store)).rejects.toMatchObject({ details: { attempts: 1 } });
      expect(s3.count(operation) - before).toBe(1);
    });

    it('is given up after the configured number of attempts', async () => {
      s3.faults.failAlways(500, { operation });
      const before = s3.count(operation);
      await expect(call(store)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', details: { attempts: 6 } });
      expect(s3.count(operation) - before).toBe(6);
    });

    it('is given up when no answer comes in time', async () => {
      const impatient = openBucket(s3, { requestTimeoutMs: 100, maxAttempts: 2 });
      s3.faults.hold({ operation }, 'answer', Infinity);
      await expect(call(impatient)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', details: { attempts: 2 } });
      await impatient.close();
    });
  });

  it('waits for a random part of a span that doubles, and at least as long as the store asks', async () => {
    const pacing = pacingOf(s3);
    const watched = new S3ObjectStore(configOf(s3), { ...pacing, random: () => 0.5 });
    s3.faults.failAlways(500);
    await expect(watched.head('a')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(pacing.pauses.splice(0)).toEqual([100, 200, 400, 800, 1600]);
    s3.faults.clear();
    s3.faults.add({ kind: 'status', status: 503, retryAfter: 7 });
    await watched.put('a', body);
    expect(pacing.pauses).toEqual([7000]);
    await watched.close();
  });

  it('ends a pause on abort', async () => {
    const abort = new AbortController();
    const pause = async (): Promise<void> => {
      abort.abort();
      await new Promise((_, reject) => reject(new Error('aborted')));
    };
    const paused = new S3ObjectStore(configOf(s3), { random: () => 1, pause });
    s3.faults.failAlways(500);
    await expect(paused.head('a', { signal: abort.signal })).rejects.toMatchObject({ code: 'STORE_ABORTED' });
    await paused.close();
  });

  it('goes on when the store comes back', async () => {
    await s3.goDown();
    const pause = async (): Promise<void> => s3.comeBack();
    const patient = new S3ObjectStore(configOf(s3), { random: () => 1, pause });
    await patient.put('a', body);
    expect(s3.objects.get('backups/a')).toEqual(body);
    await patient.close();
  });

  it('sends fewer requests at once after 429, and more again after successes', async () => {
    const crowd = openBucket(s3, { maxConcurrency: 8 });
    await crowd.put('a', body);
    let most = 0;
    const measure = async (): Promise<number> => {
      const gate = s3.faults.hold({ operation: 'HeadObject' }, 'before', Infinity);
      most = 0;
      const heads = Promise.all(Array.from({ length: 16 }, () => crowd.head('a')));
      await gate.reached;
      most = crowd.requestsInFlight;
      s3.faults.clear();
      gate.open();
      await heads;
      return most;
    };
    expect(await measure()).toBe(8);
    s3.faults.add({ kind: 'status', status: 429 }, { operation: 'PutObject' });
    await crowd.put('b', body);
    expect(await measure()).toBe(4);
    for (let round = 0; round < 150; round += 1) await crowd.head('a');
    expect(await measure()).toBe(8);
    await crowd.close();
  });

  it('sends what R2 demands: lengths, Content-MD5, no checksum trailers, no Expect', async () => {
    await store.put('a', body);
    const { headers } = s3.log.find(({ operation }) => operation === 'PutObject') ?? {};
    expect(headers).toMatchObject({ 'content-length': '10000', 'content-md5': expect.stringMatching(/==$/) });
    const odd = Object.keys(headers ?? {}).filter((name) => /checksum|trailer|expect|transfer-encoding/.test(name));
    expect(odd).toEqual([]);
  });

  it('keeps connections open between requests', async () => {
    await store.put('a', body);
    for (let request = 0; request < 5; request += 1) await store.head('a');
    expect(new Set(s3.log.map(({ connection }) => connection)).size).toBe(1);
  });
});
