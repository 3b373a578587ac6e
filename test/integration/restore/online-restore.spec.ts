import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { basename, join } from 'node:path';
import { zstd } from '../../support/zstd.js';
import { closeDatabase } from '../../../src/backup/close-database.js';
import { restorePoints } from '../../../src/database/database-files.js';
import type { Manifest } from '../../../src/repository/manifest.js';
import type { TestCore } from '../../support/core.js';
import { backUp, Site } from '../../support/site.js';

/** What is checked in a child process has tests of its own. */
const QUICK = { R2_VALIDATE_DOWNLOADS: 'false', RESTORE_POINTS_KEEP: '2' };

let site: Site;
let core: TestCore;
let target: Manifest;

const rows = (of: TestCore): Promise<number> => of.number('SELECT count(*) FROM guests');
const restore = async (name: string, force = false) =>
  core.online.restore(await core.restores.find({ backup: name }), { force });

beforeEach(async () => {
  site = await Site.open('bucket');
  core = await site.populated('first', 10, QUICK);
  target = await backUp(core);
  await core.write('INSERT INTO guests VALUES (100)');
  // The file is another one than that of the backup, so that some of its blocks are fetched.
  await core.database.checkpoint({ timeoutMs: 1_000 });
});
afterEach(async () => site.remove());

describe('an online restore', () => {
  it('saves the present state first, and restoring that brings it back', async () => {
    const lineage = core.lineage.state.lineage;
    await restore(target.name);
    expect(await rows(core)).toBe(10);
    const { backups } = await core.catalog.page();
    const [saved] = backups;
    expect(saved).toMatchObject({ trigger: 'pre-restore', label: null, fork: false });
    expect(core.lineage.state).toMatchObject({ lineageParent: target.position, head: saved?.name });
    expect(core.lineage.state.lineage).not.toBe(lineage);
    await restore(saved?.name ?? '');
    expect(await rows(core)).toBe(11);
  });

  it('with force takes no backup, and the restore point holds what was replaced', async () => {
    const { restorePoint } = await restore(target.name, true);
    expect((await core.repository.list()).backups).toHaveLength(1);
    const old = site.core('old', { DUCKDB_PATH: restorePoint ?? '' });
    await old.open();
    expect(await rows(old)).toBe(11);
  });

  it('waits for a backup under way and knows it as its own', async () => {
    const gate = site.s3.faults.hold({ operation: 'PutObject', key: /\.blocks\.zst$/ });
    const taking = backUp(core);
    await gate.reached;
    const restoring = restore(target.name, true);
    // Writes are held off once the backup is fetched and checked; from there on only the backup is waited for.
    while (core.database.writeGate.isOpen) await new Promise((resolve) => setImmediate(resolve));
    // Several turns of the store, so that whatever would not wait has been done.
    for (let turn = 0; turn < 5; turn++) await core.repository.list();
    gate.open();
    const { name } = await taking;
    await restoring;
    expect(await rows(core)).toBe(10);
    expect(core.lineage.state).toMatchObject({ head: name, saved: null });
    await core.write('INSERT INTO guests VALUES (200)');
    expect(await backUp(core)).toMatchObject({ parent: name, fork: false });
    expect(core.database.writeGate.isOpen).toBe(true);
  });

  it('keeps as many restore points as RESTORE_POINTS_KEEP says, the newest ones, and none overwrites another', async () => {
    // The clock stands still: each restore point finds a name of its own all the same.
    const made: (string | null)[] = [];
    for (let round = 0; round < 4; round++) made.push((await restore(target.name, true)).restorePoint);
    expect(new Set(made).size).toBe(4);
    expect(await restorePoints(core.database.path)).toEqual(made.slice(2).toReversed());
  });

  it('is taken back by putting the restore point in place without its state file', async () => {
    const { restorePoint } = await restore(target.name);
    await core.write('INSERT INTO guests VALUES (200)');
    await backUp(core);
    await closeDatabase(core, true);
    const { path } = core.database;
    await mkdir(join(core.folder, 'away'));
    for (const file of [path, `${path}.eider.json`]) await rename(file, join(core.folder, 'away', basename(file)));
    await rename(restorePoint ?? '', path);
    const again = site.core('first', { ...QUICK, R2_RESTORE_ON_CONFLICT: 'local' });
    expect((await again.boot()).decision).toMatchObject({ action: 'keep', row: 'diverged' });
    const newest = await backUp(again);
    expect(newest.fork).toBe(false);
    await closeDatabase(again, true);
    const later = site.core('first', QUICK);
    expect((await later.boot()).decision).toMatchObject({ action: 'keep', row: 'local-up-to-date' });
    expect(await later.number('SELECT max(id) FROM guests')).toBe(100);
  });

  it('is refused while one runs, which goes on undisturbed', async () => {
    const found = await core.restores.find({ backup: target.name });
    const gate = site.s3.faults.hold({ operation: 'GetObject', key: /\.duckdb\.zst$/ });
    const running = core.online.restore(found);
    await gate.reached;
    await expect(core.online.restore(found)).rejects.toMatchObject({ code: 'RESTORE_IN_PROGRESS' });
    // The service goes on meanwhile.
    await core.write('INSERT INTO guests VALUES (101)');
    gate.open();
    await running;
    expect(await rows(core)).toBe(10);
  });

  it('saves the writes that came in while it fetched', async () => {
    const gate = site.s3.faults.hold({ operation: 'GetObject', key: /\.duckdb\.zst$/ });
    const running = restore(target.name);
    await gate.reached;
    await core.write('INSERT INTO guests VALUES (101)');
    gate.open();
    await running;
    const { backups } = await core.catalog.page();
    expect(backups[0]).toMatchObject({ trigger: 'pre-restore', tables: [{ name: 'guests', rows: 12 }] });
  });

  it('brings the schema up to date', async () => {
    await restore(target.name);
    expect(await core.number('SELECT count(*) FROM schema_migrations')).toBeGreaterThan(0);
  });

  it('of a name that does not exist is refused', async () => {
    await expect(restore('hesocial-backup-19990101-000000')).rejects.toMatchObject({ code: 'BACKUP_NOT_FOUND' });
    await expect(restore('../../etc/passwd')).rejects.toMatchObject({ code: 'BACKUP_NOT_FOUND' });
  });

  it('goes on in the same history when it restores the newest backup', async () => {
    const newest = await backUp(core);
    await core.write('INSERT INTO guests VALUES (102)');
    await restore(newest.name, true);
    expect(core.lineage.state.lineage).toBe(newest.position.lineage);
    await core.write('INSERT INTO guests VALUES (103)');
    expect(await backUp(core)).toMatchObject({ fork: false, parent: newest.name });
  });
});

describe('a database file that somebody put into the repository', () => {
  const image = async (): Promise<Buffer> => {
    const file = join(site.path, 'image.duckdb');
    await core.offline.toFile(await core.restores.find({ backup: target.name }), file);
    return readFile(file);
  };

  it.each([
    ['.duckdb', (bytes: Buffer) => bytes],
    ['.duckdb.gz', (bytes: Buffer) => gzipSync(bytes)],
    ['.duckdb.zst', zstd],
  ] as const)('as %s is listed and restored', async (suffix, pack) => {
    const key = `hesocial-20240229-101112${suffix}`;
    await core.store.put(key, pack(await image()));
    const { backups } = await core.catalog.page();
    expect(backups.at(-1)).toMatchObject({ source: 'foreign', name: key, createdAt: '2024-02-29T10:11:12.000Z' });
    await restore(key, true);
    expect(await rows(core)).toBe(10);
    expect(await backUp(core)).toMatchObject({ fork: false });
  });

  it.each([
    ['cut', 'x.duckdb', (bytes: Buffer) => bytes.subarray(0, 300_000)],
    ['cut', 'x.duckdb.gz', (bytes: Buffer) => gzipSync(bytes).subarray(0, 200)],
    ['cut', 'x.duckdb.zst', (bytes: Buffer) => zstd(bytes).subarray(0, 200)],
    ['empty', 'x.duckdb', () => Buffer.alloc(0)],
    ['empty', 'x.duckdb.zst', () => Buffer.alloc(0)],
    ['no database', 'x.duckdb', () => Buffer.from('not a database'.repeat(5000))],
  ] as const)('that is %s (%s) is refused, and the database in use stays', async (_, key, harm) => {
    await core.store.put(key, harm(await image()));
    await expect(restore(key, true)).rejects.toMatchObject({
      code: expect.stringMatching(/^(BACKUP_DAMAGED|RESTORE_CHECK_FAILED)$/),
    });
    expect(await rows(core)).toBe(11);
    await core.write('INSERT INTO guests VALUES (101)');
  });
});

describe('a restore into a file', () => {
  it('overwrites nothing', async () => {
    const file = join(site.path, 'there.duckdb');
    await mkdir(file);
    const found = await core.restores.find({ backup: target.name });
    await expect(core.offline.toFile(found, file)).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
  });
});
