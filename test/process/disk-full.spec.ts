import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { FilesystemObjectStore } from '../../src/object-store/filesystem/filesystem-object-store.js';
import { TestClock, TestCore } from '../support/core.js';
import { DiskSession } from '../support/disk-faults/disk-session.js';
import { withRestored } from '../support/restored-points.js';
import { shippedCommits } from '../support/shipped-commits.js';
import { Stage } from '../support/stage.js';

/** Only root may mount a disk of its own. */
const isRoot = process.getuid?.() === 0 && process.platform === 'linux';
const asRoot = isRoot ? it : it.skip;
const where = isRoot ? '' : ' (left out: only root can mount a small disk)';

let stage: Stage;
let disk: string;
let core: TestCore;

beforeEach(async () => {
  Logger.overrideLogger(false);
  stage = await Stage.set();
  disk = join(stage.path, 'disk');
  mkdirSync(disk);
  if (isRoot) execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk]);
  core = coreIn(join(stage.path, 'elsewhere'));
});
afterEach(async () => {
  await core.pool.close();
  // Lazily: a process that is being killed may still have it open.
  if (isRoot) execFileSync('umount', ['-l', disk]);
  await stage.clear();
});

function coreIn(folder: string): TestCore {
  const store = new FilesystemObjectStore({ folder: join(stage.path, 'repository'), prefix: 'backups/' });
  return new TestCore(folder, store, { R2_VALIDATE_DOWNLOADS: 'false' }, new TestClock());
}

describe(`a local disk that is full${where}`, () => {
  asRoot(
    'refuses commits that are in no restored point then, and when there is room again the history goes on',
    async () => {
      const ballast = join(disk, 'ballast');
      writeFileSync(ballast, Buffer.alloc(4 * 1024 * 1024, 1));
      const session = stage.run(new DiskSession(stage.path, { DUCKDB_PATH: join(disk, 'hesocial.duckdb') }));
      await session.ready();
      await session.ask({ sql: 'CREATE TABLE numbers (n INTEGER, text VARCHAR)' });
      while ((await session.ask({ status: true })).state !== 'shipping') await wait(10);
      const acknowledged: number[] = [];
      let refusal: string | undefined;
      for (let n = 1; refusal === undefined && n < 1000; n++) {
        // Into the log, and every fifth into the file.
        const [rows, text] = n % 5 === 0 ? [130_000, "'short'"] : [2000, 'repeat(random()::VARCHAR, 20)'];
        const answer = await session.ask({ sql: `INSERT INTO numbers SELECT ${n}, ${text} FROM range(${rows})` });
        refusal = answer.error;
        if (refusal === undefined) acknowledged.push(n);
      }
      expect(refusal).toBe('DATABASE_DISK_FULL');
      rmSync(ballast);
      expect(await session.ask({ sql: 'INSERT INTO numbers VALUES (-1, NULL)' })).not.toHaveProperty('error');
      expect(await session.ask({ durable: true })).not.toHaveProperty('error');
      await session.kill();

      const numbers = await withRestored(core, { latest: true }, async (query) => {
        const rows = await query<{ n: number }>('SELECT DISTINCT n FROM numbers ORDER BY n');
        return rows.map(({ n }) => n);
      });
      expect(numbers).toEqual([-1, ...acknowledged]);
      await shippedCommits(core.repository);

      const cramped = coreIn(disk);
      writeFileSync(ballast, Buffer.alloc(1024 * 1024));
      const before = readdirSync(disk);
      await expect(withRestored(cramped, { latest: true }, () => Promise.resolve())).rejects.toMatchObject({
        code: 'RESTORE_NO_SPACE',
      });
      expect(readdirSync(disk)).toEqual(before);
      await cramped.pool.close();
    },
    60_000,
  );
});
