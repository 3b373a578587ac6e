import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { S3ObjectStore } from '../../../src/object-store/s3/s3-object-store.js';
import { S3Double } from '../../support/s3/s3-double.js';
import { openBucket } from './bucket.js';
import { bytes, chunked, collect, keysOf } from './contract.js';

const MIB = 1024 * 1024;

describe('reading from S3', () => {
  let s3: S3Double;
  let store: S3ObjectStore;

  beforeEach(async () => {
    s3 = await S3Double.start({ pageSize: 10 });
    store = openBucket(s3);
  });
  afterEach(async () => {
    await store.close();
    await s3.stop();
  });

  it('repeats a read whose body was cut', async () => {
    const body = bytes(100_000);
    await store.put('a', body);
    s3.faults.cutBody(50_000, {}, 2);
    expect((await store.read('a')).equals(body)).toBe(true);
    expect(s3.count('GetObject')).toBe(3);
  });

  it('ends with STORE_UNAVAILABLE when the body is cut each time', async () => {
    await store.put('a', bytes(100_000));
    s3.faults.cutBody(50_000, {}, Infinity);
    await expect(store.read('a')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', details: { attempts: 6 } });
  });

  it('passes a flipped bit on: what was stored is known by its SHA-256, one level up', async () => {
    const body = bytes(1000);
    await store.put('a', body);
    s3.faults.flipBit(500);
    const found = await store.read('a');
    expect(found[500]).toBe((body[500] ?? 0) ^ 1);
    expect((await store.read('a')).equals(body)).toBe(true);
  });

  describe('as a stream', () => {
    const body = bytes(20 * MIB);
    beforeEach(async () => {
      await store.upload('big', chunked(body, MIB), { partSize: 5 * MIB });
    });

    it('goes on where a body was cut', async () => {
      s3.faults.cutBody(3 * MIB, {}, 2);
      const { stream } = await store.open('big');
      s3.faults.cutBody(1000, {}, 2);
      expect((await collect(stream)).equals(body)).toBe(true);
    });

    it('ends with an error when it cannot go on, never as if it were the end', async () => {
      const { stream } = await store.open('big');
      s3.faults.failAlways(500, { operation: 'GetObject' });
      await expect(collect(stream)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    });

    it('ends with STORE_CORRUPT when the object was replaced in between', async () => {
      const upload = (seed: number) =>
        store.upload('bigger', chunked(bytes(40 * MIB, seed), MIB), { partSize: 5 * MIB });
      await upload(1);
      const { stream } = await store.open('bigger');
      const chunks = stream[Symbol.asyncIterator]();
      await chunks.next();
      s3.advance(2000);
      await upload(2);
      const rest = async (): Promise<void> => {
        while ((await chunks.next()).done !== true);
      };
      // Pieces that were read ahead may be of the old object still; the last one is not.
      await expect(rest()).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    });

    it('keeps no turn while the reader is slow, so that others are never locked out', async () => {
      const narrow = openBucket(s3, { maxConcurrency: 1 });
      const slow = await Promise.all([narrow.open('big'), narrow.open('big'), narrow.open('big')]);
      await narrow.put('small', Buffer.from('x'));
      for (const { stream } of slow) stream.destroy();
      await narrow.close();
    });

    it('asks for no more than one piece ahead of the reader', async () => {
      const { stream } = await store.open('big');
      const reader = stream[Symbol.asyncIterator]();
      await reader.next();
      expect(s3.count('GetObject')).toBeLessThanOrEqual(3);
      stream.destroy();
    });
  });

  describe('a listing', () => {
    beforeEach(async () => {
      for (let number = 10; number < 45; number += 1) await store.put(`log/${number}`, Buffer.from('x'));
    });

    it('goes through all pages', async () => {
      expect(await keysOf(store.list('log/'))).toHaveLength(35);
      expect(s3.count('ListObjectsV2')).toBe(4);
    });

    it('throws in the middle rather than ending early', async () => {
      s3.faults.add({ kind: 'status', status: 500 }, { operation: 'ListObjectsV2' }, { nth: 3, times: 6 });
      const seen: string[] = [];
      const listing = (async () => {
        for await (const { key } of store.list('log/')) seen.push(key);
      })();
      await expect(listing).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      expect(seen).toHaveLength(20);
    });

    it.each([
      ['without IsTruncated', /<IsTruncated>.*<\/IsTruncated>/, ''],
      ['that goes on without a token', /<NextContinuationToken>.*<\/NextContinuationToken>/, ''],
      ['that is out of order', /<Key>backups\/log\/11<\/Key>/, '<Key>backups/log/09</Key>'],
      ['that goes beyond the prefix', /<Key>backups\/log\/11<\/Key>/, '<Key>elsewhere/11</Key>'],
      ['that begins again', /<Key>backups\/log\/20<\/Key>/, '<Key>backups/log/15</Key>'],
    ])('is refused when it has a page %s', async (_, pattern, replacement) => {
      s3.rewrite = (text) => text.replace(pattern, replacement);
      await expect(keysOf(store.list('log/'))).rejects.toMatchObject({ code: 'STORE_FAILED' });
    });

    it('leaves out objects whose keys are none of ours, such as the folder marks of consoles', async () => {
      s3.state.put('backups/log/', Buffer.alloc(0), undefined);
      s3.state.put('backups/log//x', Buffer.alloc(0), undefined);
      expect(await keysOf(store.list('log/'))).toHaveLength(35);
    });
  });
});
