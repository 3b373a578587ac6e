import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { closeDatabase } from '../../../src/backup/close-database.js';
import type { Manifest } from '../../../src/repository/manifest.js';
import type { TestCore } from '../../support/core.js';
import { ADAPTERS, backUp, contentOf, Site } from '../../support/site.js';

let site: Site;
let first: TestCore;

const rows = (core: TestCore): Promise<number> => core.number('SELECT count(*) FROM guests');
const stateOf = (core: TestCore): string => `${core.database.path}.eider.json`;

/** Files beside the database that a start has put there, without their random or dated endings. */
async function keptBeside(core: TestCore): Promise<string[]> {
  const name = basename(core.database.path);
  const files = await readdir(core.folder);
  const kept = files.flatMap((file) => new RegExp(`^${name}\\.([a-z-]+)-\\d{8}-\\d{6}-\\d{3}$`).exec(file)?.[1] ?? []);
  expect(files.filter((file) => file.includes('.restoring-'))).toEqual([]);
  return kept;
}

async function stop(core: TestCore, saved = false): Promise<void> {
  await closeDatabase(core, saved);
}

describe.each(ADAPTERS)('a start with a repository in a %s', (adapter) => {
  beforeEach(async () => {
    site = await Site.open(adapter, { compares: true });
  });
  afterEach(async () => site.remove());

  it('without a database and without backups creates one', async () => {
    const core = site.core('new');
    expect((await core.boot()).decision).toMatchObject({ action: 'create', row: 'nothing-anywhere' });
    await core.write('CREATE TABLE t (i INTEGER)');
  });

  it('without a database restores the newest backup and goes on in its history', async () => {
    first = await site.populated();
    await backUp(first);
    await first.write('INSERT INTO guests VALUES (100)');
    const newest = await backUp(first);
    const second = site.core('second');
    const { decision, restored } = await second.boot();
    expect(decision).toMatchObject({ action: 'restore', row: 'local-missing', backup: newest.name });
    expect(restored).toMatchObject({ backup: newest.name, restorePoint: null });
    expect(await rows(second)).toBe(4);
    expect(second.lineage.state).toMatchObject({ lineage: newest.position.lineage, head: newest.name, fork: false });
    await second.write('INSERT INTO guests VALUES (101)');
    expect(await backUp(second)).toMatchObject({ parent: newest.name, fork: false });
  });

  it('with a database and an empty repository keeps the database', async () => {
    first = await site.populated();
    await stop(first);
    const again = site.core();
    expect((await again.boot()).decision).toMatchObject({ action: 'keep', row: 'remote-empty' });
    expect(await rows(again)).toBe(3);
  });

  it('at the newest backup keeps the database', async () => {
    first = await site.populated();
    await backUp(first);
    await stop(first, true);
    const again = site.core();
    expect((await again.boot()).decision).toMatchObject({ action: 'keep', row: 'local-up-to-date' });
  });

  it('ahead of the newest backup keeps the database and ships what is missing', async () => {
    first = await site.populated();
    const older = await backUp(first);
    await first.write('INSERT INTO guests VALUES (100)');
    await stop(first);
    const again = site.core();
    expect((await again.boot()).decision).toMatchObject({ action: 'keep', row: 'local-up-to-date' });
    expect(await backUp(again)).toMatchObject({ parent: older.name, fork: false });
    expect(await rows(again)).toBe(4);
  });

  it('behind the newest backup restores it and keeps the local file', async () => {
    first = await site.populated();
    await backUp(first);
    await stop(first, true);
    const second = site.core('second');
    await second.boot();
    await second.write('INSERT INTO guests VALUES (100)');
    const newest = await backUp(second);
    await stop(second, true);
    const again = site.core();
    const { decision, restored } = await again.boot();
    expect(decision).toMatchObject({ action: 'restore', row: 'local-behind', backup: newest.name });
    expect(await rows(again)).toBe(4);
    expect(await keptBeside(again)).toEqual(['restore-point']);
    const old = site.core('first', { DUCKDB_PATH: restored?.restorePoint ?? '' });
    await old.open();
    expect(await rows(old)).toBe(3);
  });

  it('with an older copy of the file that a backup was taken of restores that backup', async () => {
    first = await site.populated();
    await backUp(first);
    await stop(first, true);
    const files = [first.database.path, stateOf(first)];
    for (const file of files) await copyFile(file, `${file}.snapshot`);
    const again = site.core();
    await again.boot();
    await again.write('INSERT INTO guests VALUES (100)');
    await again.database.checkpoint();
    const newest = await backUp(again);
    await stop(again, true);
    for (const file of files) await copyFile(`${file}.snapshot`, file);
    const rolledBack = site.core();
    const { decision } = await rolledBack.boot();
    expect(decision).toMatchObject({ action: 'restore', row: 'local-behind', backup: newest.name });
    expect(await rows(rolledBack)).toBe(4);
  });

  describe('when both sides have changed', () => {
    beforeEach(async () => {
      first = await site.populated();
      await backUp(first);
      await stop(first, true);
      const second = site.core('second');
      await second.boot();
      await second.write('INSERT INTO guests VALUES (100), (101)');
      await backUp(second);
      await stop(second, true);
      const alone = site.core();
      await alone.open();
      await alone.write('INSERT INTO guests VALUES (200)');
      await stop(alone);
    });

    it('refuses and changes nothing', async () => {
      const files = await readdir(first.folder);
      const bytes = await readFile(first.database.path);
      await expect(site.core().boot()).rejects.toMatchObject({ code: 'RESTORE_CONFLICT' });
      expect(await readdir(first.folder)).toEqual(files);
      expect((await readFile(first.database.path)).equals(bytes)).toBe(true);
    });

    it('restores with `remote` and keeps the local file', async () => {
      const core = site.core('first', { R2_RESTORE_ON_CONFLICT: 'remote' });
      const { decision, restored } = await core.boot();
      expect(decision).toMatchObject({ action: 'restore', row: 'diverged' });
      expect(await rows(core)).toBe(5);
      const loser = site.core('first', { DUCKDB_PATH: restored?.restorePoint ?? '' });
      await loser.open();
      expect(await loser.number('SELECT max(id) FROM guests')).toBe(200);
    });

    it('keeps the local file with `local`, which goes on as the main history', async () => {
      const core = site.core('first', { R2_RESTORE_ON_CONFLICT: 'local' });
      expect((await core.boot()).decision).toMatchObject({ action: 'keep', row: 'diverged' });
      expect(await core.number('SELECT max(id) FROM guests')).toBe(200);
      const manifest = await backUp(core);
      expect(manifest.fork).toBe(false);
      expect((await core.repository.list()).backups).toHaveLength(3);
      await stop(core, true);
      expect((await site.core().boot()).decision).toMatchObject({ action: 'keep', row: 'local-up-to-date' });
    });
  });

  it('after a crash between the commit of a backup and its record knows the backup as its own', async () => {
    first = await site.populated();
    await backUp(first);
    await first.write('INSERT INTO guests VALUES (100)');
    const before = JSON.parse(await readFile(stateOf(first), 'utf8')) as Record<string, unknown>;
    const newest = await backUp(first);
    await first.database.close();
    await writeFile(stateOf(first), JSON.stringify({ ...before, committing: newest.name }));
    const again = site.core();
    await again.boot();
    await again.write('INSERT INTO guests VALUES (101)');
    expect(await backUp(again)).toMatchObject({ fork: false, parent: newest.name });
    await again.write('INSERT INTO guests VALUES (102)');
  });
});

describe('a start', () => {
  beforeEach(async () => {
    site = await Site.open('folder');
  });
  afterEach(async () => site.remove());

  describe('with a database whose state file is lost', () => {
    beforeEach(async () => {
      first = await site.populated();
      await backUp(first, { trigger: 'shutdown' });
      await stop(first, true);
      await rm(stateOf(first));
    });

    it('keeps the file where it equals the newest backup, byte for byte, and its history goes on', async () => {
      const core = site.core();
      const { decision, newest } = await core.boot();
      expect(decision).toMatchObject({ action: 'keep', adopts: newest?.name });
      expect(core.lineage.state).toMatchObject({ lineage: newest?.position.lineage, head: newest?.name });
      expect(await core.backups.create({ trigger: 'interval', onlyIfChanged: true })).toMatchObject({ created: false });
    });

    it('refuses where the file differs', async () => {
      const bytes = await readFile(first.database.path);
      const core = site.core('elsewhere', { DUCKDB_PATH: first.database.path });
      await core.database.open();
      await core.write('INSERT INTO guests VALUES (100)');
      await core.database.checkpoint();
      await core.database.close();
      expect((await readFile(first.database.path)).equals(bytes)).toBe(false);
      await expect(site.core().boot()).rejects.toMatchObject({ code: 'RESTORE_CONFLICT' });
    });

    it('treats a state file that cannot be read as lost', async () => {
      await writeFile(stateOf(first), '{"format":1,');
      const { decision, newest } = await site.core().boot();
      expect(decision).toMatchObject({ action: 'keep', adopts: newest?.name });
    });
  });

  it('that lost its state file refuses where the log differs from that of the newest backup, though it is longer', async () => {
    const { newest, copy } = await forkedInTheLog();
    expect(newest.wal).not.toBeNull();
    await expect(site.core('second', { DUCKDB_PATH: copy }).boot()).rejects.toMatchObject({ code: 'RESTORE_CONFLICT' });
  });

  it.each([
    ['zero-byte', async (path: string) => truncate(path, 0)],
    ['non-DuckDB', async (path: string) => writeFile(path, 'Dear diary, today I was no database.'.repeat(1000))],
    ['truncated', async (path: string) => truncate(path, 12_288 + 100_000)],
    ['flipped bit in the main header of the', async (path: string) => flip(path, 40)],
    ['flipped bit in the newer header of the', async (path: string) => flip(path, 4096 + 200, 8192 + 200)],
  ])('with a %s file sets it aside and restores', async (_, harm) => {
    first = await site.populated();
    const newest = await backUp(first);
    const content = await contentOf(first);
    await stop(first, true);
    await harm(first.database.path);
    const harmed = await readFile(first.database.path);
    const core = site.core();
    const { decision, restored } = await core.boot();
    expect(decision).toMatchObject({ action: 'restore', row: 'local-unreadable', backup: newest.name });
    expect(await contentOf(core)).toEqual(content);
    expect(await keptBeside(core)).toEqual(['unreadable']);
    expect((await readFile(restored?.restorePoint ?? '')).equals(harmed)).toBe(true);
  });

  it('with an unreadable file and no backup refuses and leaves the file as it is', async () => {
    first = await site.populated();
    await stop(first);
    await truncate(first.database.path, 0);
    const files = await readdir(first.folder);
    await expect(site.core().boot()).rejects.toMatchObject({ code: 'DATABASE_NOT_DUCKDB' });
    expect(await readdir(first.folder)).toEqual(files);
  });

  it('with a folder in place of the file refuses', async () => {
    first = await site.populated();
    await backUp(first);
    const core = site.core('second', { DUCKDB_PATH: first.folder });
    await expect(core.boot()).rejects.toMatchObject({ code: 'DATABASE_PATH_INVALID' });
    expect(existsSync(first.database.path)).toBe(true);
  });

  describe('with only files that somebody put into the repository', () => {
    const put = async (key: string): Promise<void> => site.store().put(key, await readFile(first.database.path));

    beforeEach(async () => {
      first = await site.populated('source');
      await stop(first);
      await rm(stateOf(first));
      await put('old-system.duckdb');
    });

    it('restores the newest where there is no database', async () => {
      const core = site.core('second');
      expect((await core.boot()).decision).toMatchObject({ action: 'restore', backup: 'old-system.duckdb' });
      expect(await rows(core)).toBe(3);
      expect(await backUp(core)).toMatchObject({ fork: false });
    });

    it('restores one that is newer than the local file', async () => {
      const local = await site.populated('second', 7, {}, false);
      await stop(local);
      await utimes(local.database.path, new Date(0), new Date(0));
      const core = site.core('second');
      expect((await core.boot()).decision).toMatchObject({ action: 'restore', row: 'remote-without-position' });
      expect(await rows(core)).toBe(3);
      expect(await keptBeside(core)).toEqual(['restore-point']);
    });

    it('keeps a local file that is newer', async () => {
      const local = await site.populated('second', 7, {}, false);
      await stop(local);
      const later = new Date(Date.now() + 3_600_000);
      await utimes(local.database.path, later, later);
      const core = site.core('second');
      expect((await core.boot()).decision).toMatchObject({ action: 'keep', row: 'remote-without-position' });
      expect(await rows(core)).toBe(7);
    });
  });
});

/** A backup with a log, and a copy of the same file whose log holds other commits and more of them. */
async function forkedInTheLog(): Promise<{ newest: Manifest; copy: string }> {
  first = await site.populated();
  await first.database.checkpoint({ timeoutMs: 1_000 });
  const copy = join(site.path, 'copy.duckdb');
  await writeFile(copy, await readFileElsewhere(first.database.path));
  await first.write('INSERT INTO guests VALUES (100)');
  const newest = await first.database.transaction(async (session) => {
    await session.run('UPDATE guests SET id = id');
    return backUp(first, { checkpointTimeoutMs: 1 });
  });
  // Killed before it could fold its log.
  const script = `
    const { DuckDBInstance } = await import('@duckdb/node-api');
    const connection = await (await DuckDBInstance.create(':memory:')).connect();
    await connection.run("ATTACH '" + process.argv[1] + "' AS copy");
    for (let i = 0; i < 5; i++) await connection.run('INSERT INTO copy.guests VALUES (200)');
    process.kill(process.pid, 'SIGKILL');`;
  spawnSync(process.execPath, ['--input-type=module', '-e', script, copy]);
  expect(existsSync(`${copy}.wal`)).toBe(true);
  return { newest, copy };
}

/** Reads a file of an open database in another process: closing a descriptor of it here would drop its lock. */
async function readFileElsewhere(path: string): Promise<Buffer> {
  return execFileSync('cat', [path], { maxBuffer: 1 << 28 });
}

/** Turns over one bit at each place. */
async function flip(path: string, ...places: number[]): Promise<void> {
  const bytes = await readFile(path);
  for (const at of places) bytes[at] = (bytes[at] ?? 0) ^ 4;
  await writeFile(path, bytes);
}
