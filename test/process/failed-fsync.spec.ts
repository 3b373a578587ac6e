import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { FilesystemObjectStore } from '../../src/object-store/filesystem/filesystem-object-store.js';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { PointTarget } from '../../src/repository/point-in-time.js';
import { TestClock, TestCore } from '../support/core.js';
import { canFailSync, DiskSession, failingFsync } from '../support/disk-faults/disk-session.js';
import { environmentIn, runCli } from '../support/processes.js';
import { withRestored } from '../support/restored-points.js';
import { shippedCommits, type ShippedCommit } from '../support/shipped-commits.js';
import { Stage } from '../support/stage.js';

const withFaults = canFailSync ? it : it.skip;
const where = canFailSync ? '' : ' (left out: that takes Linux and a C compiler)';

let stage: Stage;
let session: DiskSession;
let elsewhere: TestCore | undefined;

beforeEach(async () => {
  Logger.overrideLogger(false);
  stage = await Stage.set();
});
afterEach(async () => {
  await elsewhere?.pool.close();
  elsewhere = undefined;
  await stage.clear();
});

/** A machine that has the repository and nothing else. */
function another(): TestCore {
  elsewhere ??= new TestCore(
    join(stage.path, 'elsewhere'),
    new FilesystemObjectStore({ folder: join(stage.path, 'repository'), prefix: 'backups/' }),
    { R2_VALIDATE_DOWNLOADS: 'false' },
    new TestClock(),
  );
  return elsewhere;
}
const numbersAt = (target: PointTarget): Promise<number[]> =>
  withRestored(another(), target, async (query) => {
    const rows = await query<{ n: number }>('SELECT n FROM numbers ORDER BY n');
    return rows.map(({ n }) => n);
  });
const named = (error: unknown): string => {
  expect(error).toMatchObject({ code: 'RESTORE_POINT_UNREACHABLE' });
  return 'named';
};
const commits = (): Promise<ShippedCommit[]> => shippedCommits(another().repository);
async function commit(n: number): Promise<void> {
  expect(await session.ask({ sql: `INSERT INTO numbers VALUES (${n})` })).not.toHaveProperty('error');
  expect(await session.ask({ durable: true })).not.toHaveProperty('error');
}

/** A process whose syncs can be made to fail. */
async function start(): Promise<void> {
  session = stage.run(new DiskSession(stage.path, { LD_PRELOAD: failingFsync(stage.path) }));
  await session.ready();
}
async function shipping(): Promise<void> {
  while ((await session.ask({ status: true })).state !== 'shipping') await wait(10);
}
/** Goes on with the files that a process has left, and commits: what every machine then finds. */
async function afterRestart(n: number): Promise<number[]> {
  await start();
  await commit(n);
  await session.kill();
  return numbersAt({ latest: true });
}

describe(`a commit whose fsync fails${where}`, () => {
  /** Commits something else, then one that DuckDB takes back after it was shipped; the place of that one. */
  async function takenBack(...before: number[]): Promise<ShippedCommit> {
    await start();
    await session.ask({ sql: 'CREATE TABLE numbers (n INTEGER)' });
    for (const n of before) await commit(n);
    await shipping();
    const count = (await commits()).length;
    // The log is on the disk, as Eider is told, and DuckDB is told otherwise.
    session.failSync({ error: 'ENOSPC', of: 'fsync', how: 'hold' });
    const refused = session.ask({ sql: 'INSERT INTO numbers VALUES (2)' });
    while ((await commits()).length === count) await wait(10);
    const shipped = await commits();
    session.letGo();
    expect(await refused).toMatchObject({ error: 'DATABASE_DISK_FULL' });
    // The next one stands in its place, and is longer.
    expect(await session.ask({ sql: 'INSERT INTO numbers VALUES (30), (31), (32)' })).not.toHaveProperty('error');
    return shipped.at(-1) as ShippedCommit;
  }

  withFaults('is in no restored point, although it was shipped', async () => {
    const { position, seen, record } = await takenBack(1, 5);
    expect(await session.ask({ durable: true })).not.toHaveProperty('error');
    await commit(4);
    await session.kill();
    expect(await numbersAt({ latest: true })).toEqual([1, 4, 5, 30, 31, 32]);
    const acknowledged = (await commits()).findLast((each) => each.seen < seen);
    expect(await numbersAt({ at: new Date(acknowledged?.seen ?? 0) })).toEqual([1, 5]);
    expect([[1, 5], 'named']).toContainEqual(await numbersAt({ at: new Date(seen) }).catch(named));
    await expect(numbersAt({ position })).rejects.toMatchObject({
      code: 'RESTORE_POINT_UNREACHABLE',
      message: expect.stringContaining('DuckDB took this commit back'),
    });
    for (const shipped of await commits()) {
      if (shipped.record !== record) expect(await numbersAt({ position: shipped.position })).not.toContain(2);
    }
  });

  withFaults('as the first one after a checkpoint is in no restored point', async () => {
    const { position, seen } = await takenBack(1);
    expect(await session.ask({ durable: true })).not.toHaveProperty('error');
    await session.kill();
    expect(await numbersAt({ latest: true })).toEqual([1, 30, 31, 32]);
    // Whether the new base comes before or after the next commit decides whether there is a gap.
    expect([[1], 'named']).toContainEqual(await numbersAt({ at: new Date(seen) }).catch(named));
    expect([[1], 'named']).toContainEqual(await numbersAt({ position }).catch(named));
  });

  withFaults('leaves nobody in the belief that the commit in its place is in the store', async () => {
    await takenBack(1, 5);
    const { position } = await session.ask({ status: true });
    expect(position).toBeUndefined();
    expect(await session.ask({ durable: true })).not.toHaveProperty('error');
    expect(await numbersAt({ latest: true })).toEqual([1, 5, 30, 31, 32]);
  });
});

describe(`a commit that the disk does not take${where}`, () => {
  withFaults('is never shipped, whatever happens next', async () => {
    await start();
    await session.ask({ sql: 'CREATE TABLE numbers (n INTEGER)' });
    for (const n of [1, 5]) await commit(n);
    await shipping();
    const before = await commits();
    session.failSync({ error: 'ENOSPC', of: 'both', how: 'hold' });
    const refused = session.ask({ sql: 'INSERT INTO numbers VALUES (2)' });
    // Eider has seen the commit and asks the disk, too.
    while (!session.failing.includes('fdatasync') && (await commits()).length === before.length) await wait(10);
    expect(await commits()).toEqual(before);
    session.letGo();
    expect(await refused).toMatchObject({ error: 'DATABASE_DISK_FULL' });
    await session.kill();
    expect(await numbersAt({ latest: true })).toEqual([1, 5]);
    expect(await afterRestart(6)).toEqual([1, 5, 6]);
    for (const { position } of await commits()) expect(await numbersAt({ position })).not.toContain(2);
  });

  withFaults('is in the way of nothing that comes later', async () => {
    await start();
    await session.ask({ sql: 'CREATE TABLE numbers (n INTEGER)' });
    await commit(1);
    await shipping();
    session.failSync({ error: 'ENOSPC', of: 'both', how: 'hold' });
    const refused = session.ask({ sql: 'INSERT INTO numbers VALUES (2)' });
    while (!session.failing.includes('fdatasync')) await wait(10);
    session.letGo();
    expect(await refused).toMatchObject({ error: 'DATABASE_DISK_FULL' });
    await commit(3);
    await session.kill();
    expect(await numbersAt({ latest: true })).toEqual([1, 3]);
  });

  for (const after of [0, 3]) {
    withFaults(`because of EIO after ${after} syncs is refused, and the start after a kill goes on`, async () => {
      await start();
      await session.ask({ sql: 'CREATE TABLE numbers (n INTEGER)' });
      await commit(1);
      await shipping();
      session.failSync({ error: 'EIO', of: 'both', after, how: 'at-once' });
      const acknowledged = [1];
      let refused = 2;
      for (; (await session.ask({ sql: `INSERT INTO numbers VALUES (${refused})` })).error === undefined; refused++) {
        acknowledged.push(refused);
      }
      expect(session.failing).toContain('fsync');
      expect(await session.ask({ sql: 'INSERT INTO numbers VALUES (-1)' })).toMatchObject({
        error: expect.any(String),
      });
      const isDurable = (await session.ask({ durable: true })).error === undefined;
      await session.kill();
      session.letGo();
      const found = await numbersAt({ latest: true });
      expect(found).toEqual(isDurable ? acknowledged : acknowledged.slice(0, found.length));
      const later = await afterRestart(100);
      // DuckDB does not cut its log any more: whether the refused commit is there is not known, as after a power loss.
      expect([
        [...acknowledged, 100],
        [...acknowledged, refused, 100],
      ]).toContainEqual(later);
    });
  }
});

describe(`a restored file that cannot be made durable${where}`, () => {
  withFaults('is not put in place, although its check has passed', async () => {
    const env = environmentIn(stage.path);
    const core = new TestCore(stage.path);
    await core.open();
    await core.write('CREATE TABLE guests (id INTEGER)', 'INSERT INTO guests VALUES (1)');
    await core.close();
    // From the command line: the log is folded first, so that there is no other file than the database's to be made durable.
    expect(await runCli(['backup'], env)).toMatchObject({ status: 0 });
    await mkdir(join(stage.path, 'target'));
    await writeFile(join(stage.path, 'fail-fsync'), `${constants.errno.EIO} fsync 0 at-once`);
    const faults = {
      LD_PRELOAD: failingFsync(stage.path) ?? '',
      FAIL_FSYNC: join(stage.path, 'fail-fsync'),
      FAIL_FSYNC_OF: 'restored.duckdb.restoring-',
    };
    const restore = ['restore', '--to', join(stage.path, 'target', 'restored.duckdb')];
    const { status, stderr } = await runCli(restore, { ...env, ...faults });
    expect(stderr).toMatch(/EIO.*fsync/);
    expect(status).toBe(1);
    expect(await readdir(join(stage.path, 'target'))).toEqual([]);
    expect(await runCli(restore, env)).toMatchObject({ status: 0 });
  });
});
