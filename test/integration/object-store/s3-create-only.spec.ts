import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { S3ObjectStore } from '../../../src/object-store/s3/s3-object-store.js';
import { S3Double } from '../../support/s3/s3-double.js';
import { openBucket } from './bucket.js';

const ours = Buffer.from('{"nonce":"ours"}');
const theirs = Buffer.from('{"nonce":"theirs"}');
const put = { operation: 'PutObject' };
const onlyNew = { ifAbsent: true };

describe('a create-only write to S3', () => {
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
  const stored = (): string | undefined => s3.objects.get('backups/log/1')?.toString();
  const other = async (): Promise<void> => openBucket(s3).put('log/1', theirs);

  it('succeeds when its answer was lost but the bytes are there', async () => {
    s3.faults.loseAnswer(put);
    await store.put('log/1', ours, onlyNew);
    expect(stored()).toBe(ours.toString());
    expect(s3.count('PutObject')).toBe(1);
  });

  it('succeeds when the answer was 500 but the bytes are there', async () => {
    s3.faults.add({ kind: 'status-after', status: 500 }, put);
    await store.put('log/1', ours, onlyNew);
    expect(s3.count('PutObject')).toBe(1);
  });

  it('loses when its answer was lost and another writer has the key', async () => {
    s3.faults.reset(put);
    s3.faults.add({ kind: 'reset' }, { operation: 'GetObject' });
    await other();
    await expect(store.put('log/1', ours, onlyNew)).rejects.toMatchObject({ code: 'STORE_EXISTS' });
    expect(stored()).toBe(theirs.toString());
  });

  it.each([500, 503])('loses when the answer is %d because another writer has the key', async (status) => {
    await other();
    s3.faults.add({ kind: 'status', status }, put);
    await expect(store.put('log/1', ours, onlyNew)).rejects.toMatchObject({ code: 'STORE_EXISTS' });
    expect(stored()).toBe(theirs.toString());
  });

  it.each([409, 412])('loses on a clear %d', async (status) => {
    s3.faults.failNth(1, status, put);
    await expect(store.put('log/1', ours, onlyNew)).rejects.toMatchObject({ code: 'STORE_EXISTS' });
    expect(s3.count('PutObject')).toBe(1);
  });

  it('takes a clear refusal at the first attempt for what it is, even where the bytes are equal', async () => {
    await openBucket(s3).put('log/1', ours);
    await expect(store.put('log/1', ours, onlyNew)).rejects.toMatchObject({ code: 'STORE_EXISTS' });
  });

  it('succeeds when a request that seemed lost arrives late and refuses the second one', async () => {
    const slow = s3.faults.hold(put);
    const impatient = openBucket(s3, { requestTimeoutMs: 200 });
    const second = s3.faults.hold(put);
    const writing = impatient.put('log/1', ours, onlyNew);
    await second.reached;
    slow.open();
    while (stored() === undefined) await new Promise(setImmediate);
    second.open();
    await writing;
    expect(stored()).toBe(ours.toString());
    await impatient.close();
  });

  it('tries again when nothing is there after a lost answer', async () => {
    s3.faults.reset(put);
    await store.put('log/1', ours, onlyNew);
    expect(stored()).toBe(ours.toString());
  });

  it('ends with STORE_UNAVAILABLE, not with a guess, when it cannot be read back', async () => {
    s3.faults.loseAnswer(put);
    s3.faults.failAlways(500, { operation: 'GetObject' });
    await expect(store.put('log/1', ours, onlyNew)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  it('waits and tries again on 429, which stores nothing', async () => {
    s3.faults.add({ kind: 'status', status: 429 }, put, { times: 2 });
    await store.put('log/1', ours, onlyNew);
    expect(s3.count('GetObject')).toBe(0);
    expect(stored()).toBe(ours.toString());
  });

  describe('where the store has no conditional writes', () => {
    beforeEach(() => {
      s3.state.rules.conditionalWrites = 'not-implemented';
    });

    it('looks first, then writes, and remembers it', async () => {
      expect(store.conditionalWrites).toBe('unknown');
      await store.put('log/1', ours, onlyNew);
      expect(store.conditionalWrites).toBe('no');
      await expect(store.put('log/1', theirs, onlyNew)).rejects.toMatchObject({ code: 'STORE_EXISTS' });
      expect(stored()).toBe(ours.toString());
      expect(s3.log.filter(({ status }) => status === 501)).toHaveLength(1);
    });
  });

  it('knows that the store has conditional writes after the first refusal', async () => {
    await store.put('log/1', ours, onlyNew);
    expect(store.conditionalWrites).toBe('unknown');
    await expect(store.put('log/1', theirs, onlyNew)).rejects.toMatchObject({ code: 'STORE_EXISTS' });
    expect(store.conditionalWrites).toBe('yes');
  });
});
