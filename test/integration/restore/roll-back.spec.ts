import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { unzstd, zstd } from '../../support/zstd.js';
import { createHash } from 'node:crypto';
import { statfsSync } from 'node:fs';
import { copyFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SQL_FOLDER } from '../../../src/database/migration-files.js';
import type { Manifest } from '../../../src/repository/manifest.js';
import type { TestCore } from '../../support/core.js';
import { backUp, contentOf, Site } from '../../support/site.js';

let site: Site;
let core: TestCore;
let target: Manifest;
let before: string[];
let sqlFolder: string;

/** Mounting takes rights that not every machine gives. */
const withMounts =
  spawnSync('sh', ['-c', 'd=$(mktemp -d) && mount -t tmpfs -o size=1m tmpfs $d && umount $d; s=$?; rmdir $d; exit $s'])
    .status === 0
    ? it
    : it.skip;

const PACK = { operation: 'GetObject', key: /\.duckdb\.zst$/ };

/** A folder of migrations without any, so that contents can be compared. */
async function migrations(...sql: string[]): Promise<void> {
  await mkdir(join(sqlFolder, 'migrations'), { recursive: true });
  await copyFile(join(SQL_FOLDER, 'duckdb-migration-support.sql'), join(sqlFolder, 'duckdb-migration-support.sql'));
  for (const [index, text] of sql.entries())
    await writeFile(join(sqlFolder, 'migrations', `000${index + 1}-test.sql`), text);
}

async function restore(force = false): Promise<unknown> {
  return core.online.restore(await core.restores.find({ backup: target.name }), { force });
}

/** The database in use before is in use, writable and as it was; nothing half-done lies beside it. */
async function expectUnharmed(): Promise<void> {
  expect(await contentOf(core)).toEqual(before);
  await core.write('INSERT INTO guests VALUES (1000)');
  await core.write('DELETE FROM guests WHERE id = 1000');
  const left = (await readdir(core.folder)).filter((file) => /restoring|swap|restore-point/.test(file));
  expect(left).toEqual([]);
  expect(core.database.writeGate.isOpen).toBe(true);
  core.restores.refuseWhileBusy();
}

async function begin(adapter: 'folder' | 'bucket' = 'bucket', folder?: string): Promise<void> {
  site = await Site.open(adapter);
  sqlFolder = join(site.path, 'sql');
  await migrations();
  core = site.core('first', folder === undefined ? {} : { DUCKDB_PATH: join(folder, 'hesocial.duckdb') }, {
    sqlFolder,
  });
  await core.boot();
  await core.write('CREATE TABLE guests (id INTEGER)', 'INSERT INTO guests SELECT range FROM range(10)');
  target = await backUp(core);
  await core.write('INSERT INTO guests VALUES (100)');
  // The file is another one than that of the backup, so that some of its blocks are fetched.
  await core.database.checkpoint({ timeoutMs: 1_000 });
  before = await contentOf(core);
}

describe('an online restore that fails', () => {
  beforeEach(async () => begin());
  afterEach(async () => site.remove());

  it('while it fetches: a pack that is gone', async () => {
    site.s3.state.delete(`backups/${target.packs[0]?.key ?? ''}`);
    await expect(restore()).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
    await expectUnharmed();
  });

  it('while it fetches: a pack with a flipped bit', async () => {
    site.s3.faults.flipBit(60, PACK, 2);
    await expect(restore()).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
    await expectUnharmed();
  });

  it('while it checks: a manifest that promises other rows', async () => {
    const bent = {
      ...target,
      name: 'hesocial-manual-20260101-000009',
      tables: [{ schema: 'main', name: 'guests', rows: 11, exact: true, hash: null }],
    };
    await core.repository.manifests.commit(bent);
    const found = await core.restores.find({ backup: bent.name });
    await expect(core.online.restore(found)).rejects.toMatchObject({ code: 'RESTORE_CHECK_FAILED' });
    await expectUnharmed();
  });

  it('at the pre-restore backup', async () => {
    site.s3.faults.failAlways(403, { operation: 'PutObject' });
    await expect(restore()).rejects.toMatchObject({ code: 'STORE_DENIED' });
    await expectUnharmed();
    site.s3.faults.clear();
    expect((await core.repository.list()).backups).toHaveLength(1);
  });

  it('when the history cannot be recorded', async () => {
    // With force the last listing but the one of the plan is that of the history.
    site.s3.faults.add({ kind: 'status', status: 403 }, { operation: 'ListObjectsV2' }, { nth: 3, times: Infinity });
    const found = { kind: 'eider', manifest: target } as const;
    await expect(core.online.restore(found, { force: true })).rejects.toMatchObject({ code: 'STORE_DENIED' });
    await expectUnharmed();
  });

  it('while it migrates', async () => {
    await migrations('CREATE TABLE ok (i INTEGER); SELECT no_such_function()');
    await expect(restore()).rejects.toMatchObject({
      code: 'RESTORE_FAILED',
      message: expect.stringContaining('0001-test'),
    });
    await expectUnharmed();
  });

  it('at the look at every table afterwards', async () => {
    // A macro of the application in the place of the function that lists them.
    await migrations(`CREATE MACRO duckdb_tables() AS TABLE
      SELECT '' AS schema_name, '' AS table_name, error('the tables cannot be listed') AS database_name`);
    await expect(restore()).rejects.toMatchObject({
      code: 'RESTORE_FAILED',
      message: expect.stringContaining('the tables cannot be listed'),
    });
    await expectUnharmed();
  });

  it('when it is cancelled', async () => {
    const gate = site.s3.faults.hold(PACK);
    const abort = new AbortController();
    const found = await core.restores.find({ backup: target.name });
    const restoring = core.online.restore(found, { signal: abort.signal });
    await gate.reached;
    abort.abort(new Error('cancelled'));
    await expect(restoring).rejects.toThrow();
    gate.open();
    await expectUnharmed();
  });

  it('when the journal of the swap cannot be written', async () => {
    await mkdir(`${core.database.path}.eider-swap.json.tmp`);
    await expect(restore(true)).rejects.toMatchObject({ code: 'RESTORE_FAILED' });
    execFileSync('rmdir', [`${core.database.path}.eider-swap.json.tmp`]);
    await expectUnharmed();
  });

  it('when the database cannot be closed, since something goes on although it was interrupted', async () => {
    await core.close();
    core = site.core('first', { WRITE_DRAIN_TIMEOUT_MS: '100' }, { sqlFolder });
    await core.boot();
    let end = (): void => {};
    const busy = core.database.read(() => new Promise<void>((resolve) => (end = resolve)));
    await expect(restore(true)).rejects.toMatchObject({
      code: 'RESTORE_FAILED',
      message: expect.stringContaining('did not end although they were interrupted'),
    });
    end();
    await expect(busy).rejects.toMatchObject({ code: 'DATABASE_CLOSED' });
    await expectUnharmed();
  });

  withMounts('when a file of the database cannot be moved (skipped where nothing can be mounted)', async () => {
    // A file that something is mounted on cannot be renamed; by then the main file and the state are set aside.
    const stuck = `${core.database.path}.wal.recovery`;
    await writeFile(stuck, '');
    execFileSync('mount', ['--bind', stuck, stuck]);
    try {
      await expect(restore(true)).rejects.toMatchObject({
        code: 'RESTORE_FAILED',
        message: expect.stringContaining('EBUSY'),
      });
    } finally {
      execFileSync('umount', [stuck]);
      await rm(stuck, { force: true });
    }
    await expectUnharmed();
  });
});

describe('an online restore', () => {
  afterEach(async () => site.remove());

  it('that cannot be opened after the swap is taken back', async () => {
    await begin();
    // A log that DuckDB cannot replay, and no check that would have found it.
    const quick = site.core('first', { R2_VALIDATE_DOWNLOADS: 'false' }, { sqlFolder });
    await core.close();
    core = quick;
    await core.boot();
    await core.database.checkpoint({ timeoutMs: 1_000 });
    const manifest = await core.database.transaction(async (session) => {
      await core.write('INSERT INTO guests VALUES (7)');
      await session.run('UPDATE guests SET id = id WHERE id = 1');
      return backUp(core, { checkpointTimeoutMs: -1 });
    });
    before = await contentOf(core);
    const wal = Buffer.from(await unpacked(manifest));
    wal.fill(0xff, wal.length - 60, wal.length - 30);
    const bad = {
      ...manifest,
      name: 'hesocial-manual-20260101-000009',
      wal: {
        key: 'bad.duckdb.wal.zst',
        length: wal.length,
        stored: 1,
        sha256: createHash('sha256').update(wal).digest('hex'),
      },
    };
    await core.store.put('bad.duckdb.wal.zst', zstd(wal));
    await core.repository.manifests.commit(bad);
    const failure: unknown = await core.online
      .restore(await core.restores.find({ backup: bad.name }), { force: true })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'RESTORE_FAILED' });
    await expectUnharmed();
  });

  it('that cannot be taken back names both failures and the files, and the next start can', async () => {
    await begin();
    const gate = site.s3.faults.hold(PACK);
    const restoring = restore(true);
    await gate.reached;
    const name = (await readdir(core.folder)).find((file) => file.includes('restoring')) ?? '';
    // A folder where the new database would be put back to. The migration that makes it fails.
    const obstacle = join(core.folder, name);
    await migrations(`COPY (SELECT 1 AS a, 2 AS b) TO '${obstacle}' (PARTITION_BY a); SELECT no_such_function()`);
    gate.open();
    await expect(restoring).rejects.toMatchObject({
      code: 'RESTORE_ROLLBACK_FAILED',
      message: expect.stringMatching(/0001-test.*could not be put back.*restore-point-/s),
    });
    await expect(contentOf(core)).rejects.toMatchObject({ code: 'DATABASE_CLOSED' });
    await core.close();
    await migrations();
    core = site.core('first', {}, { sqlFolder });
    await core.boot();
    await expectUnharmed();
  });

  withMounts(
    'without room on the disk is refused, and one that runs out of room is taken back (skipped where tmpfs cannot be mounted)',
    async () => {
      const folder = join('/mnt', `eider-${process.pid}`);
      execFileSync('mkdir', ['-p', folder]);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', folder]);
      try {
        await begin('folder', folder);
        await expect(restore()).rejects.toMatchObject({ code: 'RESTORE_NO_SPACE' });
        expect(await contentOf(core)).toEqual(before);
        expect(await readdir(folder)).not.toContainEqual(expect.stringContaining('restoring'));
        // Large enough for the plan, then filled up by somebody else while the restore fetches.
        execFileSync('mount', ['-o', 'remount,size=100m', folder]);
        execFileSync('sh', ['-c', `head -c 30m /dev/zero > ${folder}/somebody-else`]);
        const { bavail, bsize } = statfsSync(folder);
        const spare = (bavail * bsize) / 1024 - 100;
        const plan = await core.restores.plan(await core.restores.find({ backup: target.name }));
        expect(plan.bytesFree).toBeGreaterThan(plan.bytesNeeded);
        const found = await core.restores.find({ backup: target.name });
        const tables = core.repository.extents.of.bind(core.repository.extents);
        // The first thing that is read once there seemed to be room.
        jest.spyOn(core.repository.extents, 'of').mockImplementationOnce((manifest) => {
          execFileSync('sh', ['-c', `head -c ${Math.floor(spare)}k /dev/zero > ${folder}/more`]);
          return tables(manifest);
        });
        await expect(core.online.restore(found)).rejects.toMatchObject({ code: 'RESTORE_NO_SPACE' });
        execFileSync('rm', [join(folder, 'more')]);
        expect(await contentOf(core)).toEqual(before);
        expect(await readdir(folder)).not.toContainEqual(expect.stringContaining('restoring'));
        await core.write('INSERT INTO guests VALUES (1000)');
      } finally {
        await core.close();
        execFileSync('umount', [folder]);
        execFileSync('rmdir', [folder]);
      }
    },
  );
});

async function unpacked(manifest: Manifest): Promise<Buffer> {
  const stored = await core.store.read(manifest.wal?.key ?? '');
  return unzstd(stored);
}
