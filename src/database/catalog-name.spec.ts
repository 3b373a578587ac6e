import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { join } from 'node:path';
import { temporaryFolder } from '../../test/support/core.js';
import { catalogNameOf, quoteIdentifier, quoteLiteral } from './catalog-name.js';

describe('the catalog name of a database file', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;

  beforeAll(async () => {
    folder = await temporaryFolder();
  });

  afterAll(() => folder.remove());

  it.each([
    ['/data/hesocial.duckdb', 'hesocial'],
    ['hesocial', 'hesocial'],
    ['/data/he.social.v2.duckdb', 'he'],
    ['/data/.hidden.duckdb', 'hidden'],
    ['/data/my database.duckdb', 'my database'],
    ["/data/it's.duckdb", "it's"],
    ['/data/Mixed-Case.duckdb', 'Mixed-Case'],
    ['/data/main.duckdb', 'main_db'],
    ['/data/temp.duckdb', 'temp_db'],
    ['/data/system.duckdb', 'system_db'],
  ])('%s is %s, as DuckDB itself calls it when it opens the file', async (path, name) => {
    expect(catalogNameOf(path)).toBe(name);
    const instance = await DuckDBInstance.create(join(folder.path, path.split('/').at(-1) ?? ''));
    const connection = await instance.connect();
    try {
      const reader = await connection.runAndReadAll('SELECT current_database()');
      expect(reader.getRows()).toEqual([[name]]);
    } finally {
      connection.closeSync();
      instance.closeSync();
    }
  });

  it.each(['Main', 'MAIN', 'Temp', 'System', 'memory', 'Memory'])(
    'is never %s, which DuckDB takes for its own',
    (stem) => {
      expect(catalogNameOf(`/data/${stem}.duckdb`)).toBe(`${stem}_db`);
    },
  );

  it('of a file without a name is db', () => {
    expect(catalogNameOf('/data/..duckdb')).toBe('duckdb');
    expect(catalogNameOf('/data/...')).toBe('db');
  });
});

describe('quoting', () => {
  it('keeps any text what it is, as a literal and as a name', async () => {
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((value) => !value.includes('\0'));
    try {
      await fc.assert(
        fc.asyncProperty(text, async (value) => {
          const reader = await connection.runAndReadAll(`SELECT ${quoteLiteral(value)} AS ${quoteIdentifier(value)}`);
          expect(reader.columnNames()).toEqual([value]);
          expect(reader.getRows()).toEqual([[value]]);
        }),
        { numRuns: 200, examples: [[`"'; DROP TABLE t; --`], [`''`], [`""`], ['\\']] },
      );
    } finally {
      connection.closeSync();
      instance.closeSync();
    }
  });
});
