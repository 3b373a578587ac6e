import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { cp, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { reading } from '../../../src/database/inspect.js';
import type { WalRecordHead } from '../../../src/repository/log-record.js';
import { blockOffset } from '../../../src/duckdb-format/layout.js';
import { packBytes } from '../../support/block-count.js';
import type { TestCore } from '../../support/core.js';
import { contentOf, Site } from '../../support/site.js';

const QUICK = { R2_WAL_SYNC_INTERVAL_MS: '3000', R2_VALIDATE_DOWNLOADS: 'false' };
/** Commits whose records are too large to be one object. */
const large = (n: number): string =>
  `INSERT INTO letters SELECT ${n}, ${[1, 2, 3, 4].map((k) => `md5((range * ${k} + ${n})::VARCHAR)`).join(' || ')} FROM range(110000)`;

let site: Site;
let core: TestCore;
/** Records of commits, and what they left. */
let records: WalRecordHead[];
let content: string[];

/** Copies the database of the machine that ships, as a kill leaves it, to another machine. */
async function copyTo(machine: TestCore): Promise<void> {
  await mkdir(dirname(machine.database.path), { recursive: true });
  for (const end of ['', '.wal', '.eider.json']) {
    const file = `${core.database.path}${end}`;
    // Only the kept descriptors of an open database are read: closing another one would drop its lock.
    if (end === '.eider.json') await cp(file, `${machine.database.path}${end}`);
    else {
      const { files } = core.database;
      const live = files.wal();
      const [descriptor, size] = end === '' ? [files.mainDescriptor(), files.size()] : [live?.descriptor, live?.size];
      const copy = await open(`${machine.database.path}${end}`, 'w');
      await copy.write(reading(descriptor ?? -1)(0, size ?? 0));
      await copy.close();
    }
  }
}

async function ship(sql: string): Promise<void> {
  await core.write(sql);
  core.clock.advance(1000);
  core.replication.look();
  await core.replication.ship();
}

/** Bytes of payloads that a start has read, and the numbers of their records. */
async function startOn(machine: TestCore): Promise<{ packs: number; payloads: number[] }> {
  const since = site.s3.log.length;
  const { decision, restored } = await machine.boot();
  expect(decision.row).toBe('local-behind');
  expect(restored?.fetchedBytes).toBeGreaterThan(0);
  expect(await contentOf(machine)).toEqual(content);
  const read = new Set(site.s3.log.slice(since).map(({ key }) => key));
  const payloads = records.filter(({ payload }) => payload !== null && read.has(`backups/${payload.key}`));
  return { packs: packBytes(site.s3, since), payloads: payloads.map(({ number }) => number) };
}

/** More rows than the log takes: they go into the file, and the record brings the blocks along. */
const BULK =
  'INSERT INTO letters SELECT 9, md5(range::VARCHAR) || md5((range + 7)::VARCHAR) || md5((range + 8)::VARCHAR) FROM range(200000)';

let behind: TestCore;
beforeEach(async () => {
  site = await Site.open('bucket');
  core = site.core('first', QUICK);
  behind = site.core('second', QUICK);
  await core.boot();
  await core.write('CREATE TABLE letters (n INTEGER, text VARCHAR)');
  await core.write('INSERT INTO letters SELECT 0, md5(range::VARCHAR) FROM range(300000)');
  await core.replication.connect();
  await core.backups.create({ trigger: 'checkpoint' });
  await ship(large(1));
  await ship(BULK);
  await copyTo(behind);
  await ship(large(2));
  content = await contentOf(core);
  records = [];
  for await (const { head } of core.repository.log.records(1, await core.repository.log.last(0))) {
    if (head.kind === 'wal') records.push(head);
  }
});
afterEach(async () => site.remove());

describe('a local file that is behind by some commits is brought forward', () => {
  it('by the records that it does not have, and no block of the backup', async () => {
    expect(records.map(({ payload }) => payload === null)).toEqual([false, false, false]);
    expect(records.map(({ blocks }) => blocks.length > 0)).toEqual([false, true, false]);
    expect(await startOn(behind)).toEqual({ packs: 0, payloads: [records[2]?.number] });
  });

  it('by those of which a block is not what was shipped, too', async () => {
    const block = records[1]?.blocks.at(-1)?.block ?? 0;
    const file = await open(behind.database.path, 'r+');
    await file.write(Buffer.from([0x55, 0xaa]), 0, 2, blockOffset(block) + 5_000);
    await file.close();
    expect((await startOn(behind)).payloads).toEqual([records[1]?.number, records[2]?.number]);
  });

  it('by those of which the log is not what was shipped, too', async () => {
    const log = await open(`${behind.database.path}.wal`, 'r+');
    await log.write(Buffer.from([0x55]), 0, 1, 100_000);
    await log.close();
    // The small log of the bulk is here all the same.
    expect((await startOn(behind)).payloads).toEqual([records[0]?.number, records[2]?.number]);
  });
});
