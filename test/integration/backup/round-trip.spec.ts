import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { unzstd } from '../../support/zstd.js';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TestCore, temporaryFolder } from '../../support/core.js';

let folder: { path: string; remove: () => Promise<void> };
let core: TestCore;

beforeEach(async () => {
  folder = await temporaryFolder();
  core = new TestCore(folder.path);
  await core.open();
  await core.write(
    'CREATE TABLE guests (id INTEGER PRIMARY KEY, name VARCHAR)',
    "INSERT INTO guests SELECT range, 'guest ' || range FROM range(200000)",
  );
});

afterEach(async () => {
  await core.close();
  await folder.remove();
});

const taken = async (request: Partial<Parameters<TestCore['backups']['create']>[0]> = {}) => {
  const outcome = await core.backups.create({ trigger: 'manual', ...request });
  if (!outcome.created) throw new Error('no backup was taken');
  return outcome.manifest;
};

describe('a full backup', () => {
  it('restores to the same content', async () => {
    const manifest = await taken();
    await core.write('DELETE FROM guests WHERE id >= 100');
    const found = await core.restores.find({ backup: manifest.name });
    const report = await core.online.restore(found);
    expect(await core.number('SELECT count(*) FROM guests')).toBe(200_000);
    expect(report.restorePoint).not.toBeNull();
  });

  it('tells everything about itself', async () => {
    const manifest = await taken({ label: 'before the gala' });
    expect(manifest).toMatchObject({
      kind: 'full',
      trigger: 'manual',
      name: 'hesocial-manual-20260101-000000',
      label: 'before the gala',
      parent: null,
      fork: false,
      tables: [{ schema: 'main', name: 'guests', rows: 200_000, exact: true }],
      database: { duckdbVersion: 'v1.5.6', storageVersion: 68 },
    });
    expect(await core.catalog.page()).toMatchObject({
      backups: [{ name: manifest.name, source: 'eider' }],
      next: null,
    });
  });

  it('is the database, byte for byte, when it is decompressed', async () => {
    const manifest = await taken();
    const stored = await core.store.read(`${manifest.name}.duckdb.zst`);
    await core.close();
    expect(unzstd(stored).equals(readFileSync(core.database.path))).toBe(true);
  });

  it('takes the log along where a transaction keeps it from being folded', async () => {
    await core.database.checkpoint();
    await core.write("INSERT INTO guests VALUES (-1, 'late')");
    let finish = (): void => {};
    const finished = new Promise<void>((resolve) => (finish = resolve));
    let begun = (): void => {};
    const started = new Promise<void>((resolve) => (begun = resolve));
    const open = core.database.transaction(async (session) => {
      await session.run("UPDATE guests SET name = 'nobody' WHERE id = 5");
      begun();
      await finished;
    });
    await started;
    const manifest = await taken({ checkpointTimeoutMs: 50 });
    finish();
    await open;
    expect(manifest.wal?.length).toBe(manifest.position.offset);
    const file = join(folder.path, 'elsewhere.duckdb');
    await core.offline.toFile(await core.restores.find({ backup: manifest.name }), file);
    const other = new TestCore(folder.path, core.store, { DUCKDB_PATH: file });
    await other.open();
    expect(await other.number('SELECT count(*) FROM guests WHERE id = -1')).toBe(1);
    expect(await other.number("SELECT count(*) FROM guests WHERE name = 'nobody'")).toBe(0);
    await other.close();
  });

  it('is whole when every byte of it is read back', async () => {
    const manifest = await taken();
    const report = await core.verify.verify(manifest.name);
    expect(report).toMatchObject({ ok: true, damages: [], bytes: manifest.database.size });
  });

  it('is not taken again while nothing changes', async () => {
    const manifest = await taken();
    const again = await core.backups.create({ trigger: 'interval', onlyIfChanged: true });
    expect(again).toEqual({ created: false, reason: 'unchanged', newest: manifest.name });
    await core.write("INSERT INTO guests VALUES (-2, 'new')");
    expect(await core.backups.create({ trigger: 'interval', onlyIfChanged: true })).toMatchObject({ created: true });
  });

  it('without compression is the database file, byte for byte', async () => {
    await core.close();
    core = new TestCore(folder.path, core.store, { R2_COMPRESS_UPLOADS: 'false' });
    await core.open();
    const manifest = await taken();
    const pack = join(folder.path, 'repository', 'backups', `${manifest.name}.duckdb`);
    const stored = readFileSync(pack);
    await core.close();
    expect(stored.equals(readFileSync(core.database.path))).toBe(true);
    await core.open();
    expect(await core.verify.verify(manifest.name)).toMatchObject({ ok: true });
  });
});
