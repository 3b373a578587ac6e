import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { databaseAt, testFolder } from './open-database.js';

describe('a database file', () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;

  beforeEach(async () => {
    folder = await testFolder();
  });

  afterEach(() => folder.remove());

  it.each([
    'main.duckdb',
    'Main.duckdb',
    'temp.duckdb',
    'Temp.duckdb',
    'System.duckdb',
    'memory.duckdb',
    'Memory.duckdb',
    'pg_catalog.duckdb',
    'Information_Schema.duckdb',
    'select.duckdb',
    'my "shop".v2.duckdb',
    "it's ☃.duckdb",
    '.hidden',
  ])('called %s keeps what is written to it', async (name) => {
    const database = databaseAt(join(folder.path, name));
    await database.open();
    await database.write((session) => session.run('CREATE TABLE t AS SELECT 42 AS i'));
    await database.checkpoint({ timeoutMs: 1_000 });
    await database.guardCheckpoint(() => database.write((session) => session.run('INSERT INTO t VALUES (43)')));
    await database.close();
    await database.open();
    expect(await database.read((session) => session.all('FROM t ORDER BY i'))).toEqual([{ i: 42 }, { i: 43 }]);
    expect(await database.tableCounts()).toEqual([{ schema: 'main', name: 't', rows: 2 }]);
    await database.close();
  });
});
