import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseService } from '../../../src/database/database.service.js';
import { SQL_FOLDER } from '../../../src/database/migration-files.js';
import { Migrator } from '../../../src/database/migrator.js';
import { Clock } from '../../../src/runtime/clock.js';
import { databaseAt, testFolder } from './open-database.js';

describe('migrations', () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;
  let database: DatabaseService;
  let sql: string;

  beforeEach(async () => {
    folder = await testFolder();
    sql = join(folder.path, 'sql');
    await mkdir(join(sql, 'migrations'), { recursive: true });
    await cp(join(SQL_FOLDER, 'duckdb-migration-support.sql'), join(sql, 'duckdb-migration-support.sql'));
    database = databaseAt(join(folder.path, 'hesocial.duckdb'));
    await database.open();
    await add('0001-first.sql', 'CREATE TABLE first (i INTEGER); INSERT INTO first VALUES (1)');
  });

  afterEach(async () => {
    await database.close();
    await folder.remove();
  });

  const add = (name: string, text: string) => writeFile(join(sql, 'migrations', name), text);
  const remove = (name: string) => rm(join(sql, 'migrations', name));
  const migrator = () => new Migrator(database, new Clock(), sql);
  const tables = async () => (await database.tableCounts()).map(({ name }) => name);

  it('are planned without changing anything, and applied once, in order', async () => {
    await add('0002-second.sql', 'ALTER TABLE first ADD COLUMN j INTEGER');
    const plan = await migrator().plan();
    expect(plan.current).toBe(0);
    expect(plan.pending.map(({ version }) => version)).toEqual([1, 2]);
    expect(await tables()).toEqual([]);
    await migrator().migrate();
    await migrator().migrate();
    expect(await database.read((session) => session.all('FROM first'))).toEqual([{ i: 1, j: null }]);
    expect(await migrator().plan()).toEqual({ current: 2, pending: [] });
  });

  it('are recorded with what identifies them', async () => {
    await migrator().migrate();
    const text = await readFile(join(sql, 'migrations', '0001-first.sql'));
    expect(await database.read((session) => session.all('FROM schema_migrations'))).toEqual([
      {
        version: 1,
        name: 'first',
        sha256: createHash('sha256').update(text).digest('hex'),
        applied_at: expect.objectContaining({}),
        duration_ms: expect.any(Number),
        backward_compatible: false,
      },
    ]);
  });

  it('that fail are rolled back and name the file and the statement; those before them stay', async () => {
    await add('0002-broken.sql', 'CREATE TABLE second (i INTEGER); INSERT INTO nowhere VALUES (1); SELECT 1');
    await add('0003-third.sql', 'CREATE TABLE third (i INTEGER)');
    await expect(migrator().migrate()).rejects.toMatchObject({
      code: 'MIGRATION_FAILED',
      message: expect.stringMatching(/^0002-broken\.sql failed: statement 2 of 3: .*nowhere/),
    });
    expect(await tables()).toEqual(['first', 'schema_migrations', 'schema_seeds']);
    expect((await migrator().plan()).current).toBe(1);
  });

  it('that were changed after they were applied are refused', async () => {
    await migrator().migrate();
    await add('0001-first.sql', 'CREATE TABLE first (i BIGINT)');
    await expect(migrator().plan()).rejects.toMatchObject({ code: 'MIGRATION_CHANGED' });
    await expect(migrator().migrate()).rejects.toMatchObject({ code: 'MIGRATION_CHANGED' });
  });

  it('that were renamed after they were applied are refused', async () => {
    await migrator().migrate();
    await remove('0001-first.sql');
    await add('0001-other.sql', 'CREATE TABLE first (i INTEGER); INSERT INTO first VALUES (1)');
    await expect(migrator().plan()).rejects.toMatchObject({ code: 'MIGRATION_CHANGED' });
  });

  it('that were applied and are missing in the middle are refused', async () => {
    await add('0002-second.sql', 'SELECT 2');
    await add('0003-third.sql', 'SELECT 3');
    await migrator().migrate();
    await remove('0002-second.sql');
    await expect(migrator().plan()).rejects.toMatchObject({
      code: 'MIGRATION_CHANGED',
      message: expect.stringContaining('0002-second'),
    });
  });

  it.each(['0003-gap.sql', '2-short.sql', '0002_underscore.sql', '0001-again.sql', 'notes.txt'])(
    'whose folder holds %s beside 0001-first.sql are refused',
    async (name) => {
      await add(name, 'SELECT 1');
      await expect(migrator().plan()).rejects.toMatchObject({ code: 'MIGRATION_INVALID' });
    },
  );

  it('of a newer release are accepted when each is marked backward compatible', async () => {
    await add('0002-second.sql', '-- A new table.\n-- backward-compatible\nCREATE TABLE second (i INTEGER)');
    await migrator().migrate();
    await remove('0002-second.sql');
    expect(await migrator().plan()).toEqual({ current: 2, pending: [] });
  });

  it('of a newer release are refused by name when one is not marked', async () => {
    await add('0002-second.sql', '-- backward-compatible\nCREATE TABLE second (i INTEGER)');
    await add('0003-third.sql', 'CREATE TABLE third (i INTEGER)');
    await migrator().migrate();
    await remove('0002-second.sql');
    await remove('0003-third.sql');
    await expect(migrator().plan()).rejects.toMatchObject({
      code: 'SCHEMA_NEWER',
      message: expect.stringMatching(/0003-third.*up to 0001/),
    });
  });

  it('have the mark only in the comment at their top', async () => {
    await add('0002-second.sql', "SELECT '\n-- backward-compatible\n'");
    await add('0003-third.sql', '-- not -- backward-compatible\nSELECT 1');
    const { pending } = await migrator().plan();
    expect(pending.map(({ backwardCompatible }) => backwardCompatible)).toEqual([false, false, false]);
  });
});
