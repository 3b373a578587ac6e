import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { PointTarget } from '../../../src/repository/point-in-time.js';
import type { Position } from '../../../src/repository/position.js';
import { WalTail } from '../../../src/replication/wal-tail.js';
import type { TestCore } from '../../support/core.js';
import { withRestored } from '../../support/restored-points.js';
import { shippedCommits } from '../../support/shipped-commits.js';
import { BUCKET, Site } from '../../support/site.js';

const QUICK = { R2_WAL_SYNC_INTERVAL_MS: '3000', R2_VALIDATE_DOWNLOADS: 'false' };
const RECORD = { operation: 'PutObject', key: /\/log\// };
const BULK = 'SELECT range, hash(range) FROM range(130000)';

let site: Site;
let core: TestCore;

beforeEach(async () => {
  site = await Site.open(BUCKET, { compares: true });
  core = site.core('first', QUICK);
  await core.boot();
  await core.write('CREATE TABLE t (a BIGINT, b UBIGINT)', 'CREATE TABLE log (n INTEGER)');
});
afterEach(async () => site.remove());

async function begin(): Promise<void> {
  await core.replication.connect();
  await core.backups.create({ trigger: 'checkpoint' });
  expect(core.replication.state).toBe('shipping');
}
async function commit(n: number): Promise<Position> {
  await core.write(`INSERT INTO log VALUES (${n})`);
  core.clock.advance(1000);
  core.replication.look();
  return core.lineage.at(await core.database.position());
}
/** A backup that finds no moment for a checkpoint: its image brings the log along. */
async function backUpWithLog(): Promise<void> {
  await core.database.transaction(async (session) => {
    await session.run('UPDATE log SET n = n WHERE n = -1');
    await core.backups.create({ trigger: 'interval', checkpointTimeoutMs: -1 });
  });
}
const numbersAt = (target: PointTarget): Promise<number[]> =>
  withRestored(core, target, async (query) => {
    const rows = await query<{ n: number }>('SELECT n FROM log ORDER BY n');
    return rows.map(({ n }) => n);
  });

describe('the blocks of a commit', () => {
  it('are there although they were written after the backup was taken and shipped before the commit', async () => {
    await core.replication.connect();
    await core.database.checkpoint({ timeoutMs: 1000 });
    core.replication.look();
    await core.write(`INSERT INTO t ${BULK}`);
    await backUpWithLog();
    expect(core.replication.state).toBe('shipping');
    await core.database.transaction(async (session) => {
      await session.run('INSERT INTO t SELECT range, hash(range + 7) FROM range(700000)');
      core.replication.look();
      await core.replication.ship();
    });
    // The backup has what was committed, so these can only be of the transaction that is open.
    const record = await core.repository.log.read(core.lineage.state.log);
    expect(record?.head).toMatchObject({ kind: 'wal', blocks: expect.arrayContaining([expect.anything()]) });
    core.replication.look();
    await core.replication.ship();
    const expected = await core.number('SELECT sum(hash(t)) FROM t');
    const found = await withRestored(core, { latest: true }, (query) =>
      query('SELECT sum(hash(t))::DOUBLE AS v FROM t'),
    );
    expect(found).toEqual([{ v: expected }]);
  });
});

describe('a log that grew for long', () => {
  it('is shipped in records of bounded heads, which join', async () => {
    await begin();
    const tail = new WalTail(core.database.files, core.database.files.header().iteration, 0, 3);
    for (let n = 1; n <= 7; n++) {
      await commit(n);
      tail.look(n);
    }
    const first = tail.take();
    expect(first).toMatchObject({ from: 0, commits: 3, marks: [expect.anything(), expect.anything(), [first?.to, 3]] });
    const second = tail.take();
    expect(second).toMatchObject({ from: first?.to, commits: 3 });
    if (second !== undefined) tail.putBack(second);
    expect(tail.take()).toEqual(second);
    expect(tail.take()).toMatchObject({ from: second?.to, to: tail.position, commits: 1 });
    expect(tail.take()).toBeUndefined();
    tail.close();
  });
});

describe('a position', () => {
  it('between two marks, and before the first mark of its iteration, is that commit', async () => {
    await begin();
    const before = await commit(1);
    await core.replication.ship();
    await core.backups.create({ trigger: 'checkpoint' });
    await core.write('INSERT INTO log VALUES (2)');
    const between = core.lineage.at(await core.database.position());
    await core.write('INSERT INTO log VALUES (3)', 'INSERT INTO log VALUES (4)');
    await commit(5);
    await core.replication.ship();
    expect(between.iteration).toBe(before.iteration + 1);
    expect(await numbersAt({ position: before })).toEqual([1]);
    expect(await numbersAt({ position: between })).toEqual([1, 2]);
    const all = await shippedCommits(core.repository);
    expect(await numbersAt({ position: all.at(-2)?.position ?? between })).toEqual([1, 2, 3, 4]);
  });

  it('that only the log of a backup holds is that commit', async () => {
    await begin();
    const first = await commit(1);
    await commit(2);
    await backUpWithLog();
    expect(await numbersAt({ position: first })).toEqual([1]);
  });

  it('that nothing reaches is an error', async () => {
    await begin();
    const position = await commit(1);
    await core.replication.ship();
    const beyond = { ...position, offset: position.offset + 1000 };
    await expect(numbersAt({ position: beyond })).rejects.toMatchObject({ code: 'RESTORE_POINT_UNREACHABLE' });
    const later = { ...position, iteration: position.iteration + 1 };
    await expect(numbersAt({ position: later })).rejects.toMatchObject({ code: 'RESTORE_POINT_UNREACHABLE' });
  });
});

describe('a checkpoint by somebody else', () => {
  it('between two looks, with commits that were never seen, leads to a new base and a named gap', async () => {
    await begin();
    await commit(1);
    await core.replication.ship();
    const then = core.clock.now();
    await core.database.checkpoint({ timeoutMs: 1000 });
    await core.backups.create({ trigger: 'checkpoint' });
    await core.write('INSERT INTO log VALUES (2)');
    await core.foreignCheckpoint();
    core.clock.advance(5000);
    core.replication.look();
    expect(core.replication.state).toBe('awaiting-base');
    core.clock.advance(5000);
    await core.backups.create({ trigger: 'checkpoint' });
    await commit(3);
    await core.replication.ship();
    expect(await numbersAt({ latest: true })).toEqual([1, 2, 3]);
    expect(await numbersAt({ at: then })).toEqual([1]);
    const gap = new Date(core.clock.now().getTime() - 2000);
    await expect(numbersAt({ at: gap })).rejects.toMatchObject({
      code: 'RESTORE_POINT_UNREACHABLE',
      message: expect.stringMatching(/gap.*checkpoint that Eider did not make/),
    });
  });

  it('while a record is on its way lets nobody believe that later commits are shipped', async () => {
    await begin();
    await commit(1);
    const gate = site.server.faults.hold(RECORD, 'answer');
    const shipping = core.replication.ship();
    await gate.reached;
    await core.foreignCheckpoint();
    core.replication.look();
    const after = await commit(2);
    gate.open();
    await shipping;
    const { current } = core.replication.shipped;
    expect(current?.iteration).toBeLessThan(after.iteration);
    await core.backups.create({ trigger: 'checkpoint' });
    await commit(3);
    await core.replication.ship();
    expect(await numbersAt({ latest: true })).toEqual([1, 2, 3]);
  });

  it('after everything was shipped leaves no gap', async () => {
    await begin();
    await commit(1);
    await core.replication.ship();
    await core.foreignCheckpoint();
    core.replication.look();
    expect(core.replication.state).toBe('awaiting-base');
    core.clock.advance(5000);
    const between = core.clock.now();
    core.clock.advance(5000);
    await core.backups.create({ trigger: 'checkpoint' });
    await commit(2);
    await core.replication.ship();
    expect(await numbersAt({ at: between })).toEqual([1]);
  });

  it('is itself no commit', async () => {
    await begin();
    const position = await commit(1);
    const tail = new WalTail(core.database.files, position.iteration, 0);
    expect(tail.look(0)).toBe('grown');
    await core.foreignCheckpoint();
    expect(tail.look(0)).toBe('replaced');
    expect(tail.position).toBe(position.offset);
    tail.close();
  });
});

describe('a database that is closed', () => {
  it('while a record is on its way does not wait for the store, and its history goes on', async () => {
    await begin();
    await commit(1);
    const gate = site.server.faults.hold(RECORD, 'before', 2);
    const shipping = core.replication.ship().catch((error: unknown) => error);
    await gate.reached;
    await core.close();
    expect(await shipping).toMatchObject({ code: 'STORE_ABORTED' });
    gate.open();
    site.server.faults.clear();
    core = site.core('first', QUICK);
    await core.boot();
    await core.replication.connect();
    await core.backups.create({ trigger: 'checkpoint' });
    await commit(2);
    await core.replication.ship();
    expect(await numbersAt({ latest: true })).toEqual([1, 2]);
  });

  it('with commits that were not shipped ships them when it is open again, state file or not', async () => {
    await begin();
    await commit(1);
    await core.replication.ship();
    await commit(2);
    const copy = await liveCopy();
    await core.close();
    core = site.core('crashed', QUICK);
    await copy(core.database.path);
    await core.boot();
    await core.replication.connect();
    expect(core.replication.state).toBe('shipping');
    await core.replication.ship();
    expect(await numbersAt({ latest: true })).toEqual([1, 2]);
    const commits = await shippedCommits(core.repository);
    expect(commits.map(({ record }) => record)).toHaveLength(2);
  });
});

/** What a crash leaves: the files as they are while the database is open. */
async function liveCopy(): Promise<(path: string) => Promise<void>> {
  const { path } = core.database;
  const suffixes = ['', '.wal', '.eider.json'];
  // Through other descriptors in this process DuckDB would lose its lock; nobody else wants it here.
  const contents = await Promise.all(suffixes.map((suffix) => readFile(`${path}${suffix}`)));
  return async (target) => {
    await mkdir(dirname(target), { recursive: true });
    for (const [index, suffix] of suffixes.entries()) await writeFile(`${target}${suffix}`, contents[index] ?? '');
  };
}
