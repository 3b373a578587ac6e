import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { FilesystemObjectStore } from '../../src/object-store/filesystem/filesystem-object-store.js';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { PointTarget } from '../../src/repository/point-in-time.js';
import { TestClock, TestCore } from '../support/core.js';
import { DiskSession, failingFsync } from '../support/disk-faults/disk-session.js';
import { environmentIn, runCli } from '../support/processes.js';
import { withRestored } from '../support/restored-points.js';
import { shippedCommits, type ShippedCommit } from '../support/shipped-commits.js';
import { Stage } from '../support/stage.js';

const hasCompiler = ((): boolean => {
  try {
    execFileSync('cc', ['--version']);
    return true;
  } catch {
    return false;
  }
})();
const withCompiler = hasCompiler ? it : it.skip;
const where = hasCompiler ? '' : ' (left out: there is no C compiler)';

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

describe(`a commit whose fsync fails${where}`, () => {
  /** Commits something else, then one that DuckDB takes back after it was shipped; the place of that one. */
  async function takenBack(...before: number[]): Promise<ShippedCommit> {
    const library = failingFsync(stage.path);
    session = stage.run(new DiskSession(stage.path, { LD_PRELOAD: library ?? '' }));
    await session.ready();
    await session.ask({ sql: 'CREATE TABLE numbers (n INTEGER)' });
    for (const n of before) await commit(n);
    while ((await session.ask({ status: true })).state !== 'shipping') await wait(10);
    const count = (await commits()).length;
    session.holdFsync('ENOSPC');
    const refused = session.ask({ sql: 'INSERT INTO numbers VALUES (2)' });
    while ((await commits()).length === count) await wait(10);
    const shipped = await commits();
    session.letGo();
    expect(await refused).toMatchObject({ error: 'DATABASE_DISK_FULL' });
    // The next one stands in its place, and is longer.
    expect(await session.ask({ sql: 'INSERT INTO numbers VALUES (30), (31), (32)' })).not.toHaveProperty('error');
    return shipped.at(-1) as ShippedCommit;
  }

  withCompiler('is in no restored point, although it was shipped', async () => {
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

  withCompiler('as the first one after a checkpoint is in no restored point', async () => {
    const { position, seen } = await takenBack(1);
    expect(await session.ask({ durable: true })).not.toHaveProperty('error');
    await session.kill();
    expect(await numbersAt({ latest: true })).toEqual([1, 30, 31, 32]);
    // Whether the new base comes before or after the next commit decides whether there is a gap.
    expect([[1], 'named']).toContainEqual(await numbersAt({ at: new Date(seen) }).catch(named));
    expect([[1], 'named']).toContainEqual(await numbersAt({ position }).catch(named));
  });

  withCompiler('leaves nobody in the belief that the commit in its place is in the store', async () => {
    await takenBack(1, 5);
    const { position } = await session.ask({ status: true });
    expect(position).toBeUndefined();
    expect(await session.ask({ durable: true })).not.toHaveProperty('error');
    expect(await numbersAt({ latest: true })).toEqual([1, 5, 30, 31, 32]);
  });
});

describe(`a restored file that cannot be made durable${where}`, () => {
  withCompiler('is not put in place, although its check has passed', async () => {
    const env = environmentIn(stage.path);
    const core = new TestCore(stage.path);
    await core.open();
    await core.write('CREATE TABLE guests (id INTEGER)', 'INSERT INTO guests VALUES (1)');
    await core.close();
    // From the command line: the log is folded first, so that there is no other file than the database's to be made durable.
    expect(await runCli(['backup'], env)).toMatchObject({ status: 0 });
    await mkdir(join(stage.path, 'target'));
    await writeFile(join(stage.path, 'fail-fsync'), String(constants.errno.EIO));
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
