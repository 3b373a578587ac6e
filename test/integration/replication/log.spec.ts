import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ObjectStore } from '../../../src/object-store/object-store.js';
import { logKey } from '../../../src/repository/keys.js';
import { Log } from '../../../src/repository/log.js';
import { ADAPTERS, Site } from '../../support/site.js';
import { aWalHead } from '../../support/log-heads.js';

describe.each(ADAPTERS)('the log in a %s', (adapter) => {
  let site: Site;
  let store: ObjectStore;
  let log: Log;

  beforeEach(async () => {
    site = await Site.open(adapter);
    store = site.store();
    log = new Log(store);
  });
  afterEach(async () => {
    await store.close();
    await site.remove();
  });

  const append = async (first: number, last: number): Promise<void> => {
    for (let number = first; number <= last; number++) await log.append(aWalHead({ number }), Buffer.from(`${number}`));
  };

  it('takes each number once: the second writer is refused', async () => {
    await append(1, 1);
    const other = aWalHead({ number: 1, nonce: '1d3c5b1e-52a7-4a43-9a7e-0f5f4f6a7b03' });
    await expect(log.append(other)).rejects.toMatchObject({ code: 'STORE_EXISTS' });
    expect((await log.read(1))?.head.nonce).toBe(aWalHead().nonce);
  });

  it.each([0, 1, 2, 3, 7, 8, 9, 31])(
    'finds its last record among %i, from the beginning or from any of them',
    async (count) => {
      await append(1, count);
      for (const known of [0, Math.floor(count / 2), count]) expect(await log.last(known)).toBe(count);
    },
  );

  it('goes on from a record that retention has removed', async () => {
    await append(1, 9);
    for (const number of [1, 2, 3, 4]) await store.delete(logKey(number));
    expect(await log.last(4)).toBe(9);
  });

  it.each([3, 4, 5, 8])('finds its last record although number %i is missing, which is named then', async (missing) => {
    await append(1, 9);
    await store.delete(logKey(missing));
    for (const known of [0, 1, 2, missing - 1]) expect(await log.last(known)).toBe(9);
  });

  it('gives records in order, with their payloads, and names one that is missing', async () => {
    await append(1, 40);
    const numbers: number[] = [];
    for await (const { head, payload } of log.records(3, 40)) {
      expect(payload.toString()).toBe(String(head.number));
      numbers.push(head.number);
    }
    expect(numbers).toEqual(Array.from({ length: 38 }, (_, index) => index + 3));
    await store.delete(logKey(20));
    const read = async (): Promise<void> => {
      for await (const record of log.records(1, 40)) expect(record.head.number).toBeLessThan(20);
    };
    await expect(read()).rejects.toMatchObject({ code: 'LOG_RECORD_MISSING', details: { record: 20 } });
  });

  it('knows a record that is not there', async () => {
    expect(await log.read(1)).toBeUndefined();
  });
});

describe('looking for the last record', () => {
  it('costs two requests while nothing is written, and few after a month', async () => {
    const site = await Site.open('bucket');
    const store = site.store();
    try {
      const log = new Log(store);
      await log.append(aWalHead({ number: 1 }));
      const requests = (): number => site.s3.log.length;
      // The first answer that something is missing is looked into: it could be the bucket.
      await log.last(1);
      let before = requests();
      await log.last(1);
      // One for the record that would be next, and a listing of what may come after one that is missing.
      expect(requests() - before).toBe(2);
      for (let number = 2; number <= 300; number++) await log.append(aWalHead({ number }));
      before = requests();
      expect(await log.last(1)).toBe(300);
      expect(requests() - before).toBeLessThan(20);
    } finally {
      await store.close();
      await site.remove();
    }
  });

  it('lists ten thousand keys at most where retention has removed what came after the one that is known', async () => {
    const site = await Site.open('bucket');
    const store = site.store();
    try {
      const put = (number: number): unknown => site.s3.state.put(`backups/${logKey(number)}`, Buffer.of(), undefined);
      for (let number = 20_001; number <= 40_000; number++) put(number);
      expect(await new Log(store).last(300)).toBe(40_000);
      expect(site.s3.count('ListObjectsV2')).toBeLessThanOrEqual(12);
      expect(site.s3.count('HeadObject')).toBeLessThan(50);
      // A gap in what is left ends nothing.
      for (let number = 35_000; number <= 35_010; number++) site.s3.state.delete(`backups/${logKey(number)}`);
      expect(await new Log(store).last(300)).toBe(40_000);
    } finally {
      await store.close();
      await site.remove();
    }
  });
});
