import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { COMMIT_MARKER } from '../../../src/duckdb-format/wal.js';
import { type DatabaseBytes, databaseBytes } from '../../support/duckdb-files.js';
import { databaseAt, testFolder } from './open-database.js';

/** More than a row group: its rows go into the file, and the log points at them. */
const BULK = 'INSERT INTO guests SELECT range FROM range(300000)';

describe('a log that ends within a transaction', () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;
  let path: string;

  beforeEach(async () => {
    folder = await testFolder();
    path = join(folder.path, 'made.duckdb');
  });
  afterEach(() => folder.remove());

  const made = (logged: readonly string[]): Promise<DatabaseBytes> =>
    databaseBytes({ folded: ['CREATE TABLE guests (id BIGINT)', 'CREATE TABLE mirror (id BIGINT)'], logged });

  /** Rows of both tables once the database was opened, and once more after it was closed. */
  async function opened(main: Buffer, wal: Buffer): Promise<string[]> {
    await writeFile(path, main);
    await writeFile(`${path}.wal`, wal);
    const counts: string[] = [];
    for (let round = 0; round < 2; round++) {
      const database = databaseAt(path);
      await database.open();
      const row = await database.read((session) =>
        session.first<{ n: string }>(
          "SELECT (SELECT count(*) FROM guests) || ' and ' || (SELECT count(*) FROM mirror) AS n",
        ),
      );
      counts.push(row?.n ?? '');
      await database.close();
    }
    return counts;
  }

  it.each([
    ['before its commit marker', COMMIT_MARKER.length],
    ['within its commit marker', 1],
    ['within its last entry', COMMIT_MARKER.length + 9],
  ])('cut %s holds nothing of it, although its rows are in the file already', async (_, bytes) => {
    const one = 'INSERT INTO guests VALUES (-1)';
    const { main, wal } = await made([one, 'BEGIN', BULK, 'INSERT INTO mirror VALUES (1)', 'COMMIT']);
    expect(await opened(main, wal.subarray(0, -bytes))).toEqual(['1 and 0', '1 and 0']);
    expect(await opened(main, wal)).toEqual(['300001 and 1', '300001 and 1']);
  });

  it('and has no commit before it leaves the database as it was', async () => {
    const { main, wal } = await made([BULK]);
    expect(await opened(main, wal.subarray(0, -COMMIT_MARKER.length))).toEqual(['0 and 0', '0 and 0']);
  });

  it('takes the next commits', async () => {
    const { main, wal } = await made(['INSERT INTO guests VALUES (-1)', BULK]);
    await writeFile(path, main);
    await writeFile(`${path}.wal`, wal.subarray(0, -COMMIT_MARKER.length));
    const database = databaseAt(path);
    await database.open();
    await database.write((session) => session.run('INSERT INTO mirror VALUES (1)'));
    await database.write((session) => session.run('INSERT INTO guests SELECT range FROM range(200000)'));
    await database.close();
    expect(await opened(await readFile(path), Buffer.alloc(0))).toEqual(['200001 and 1', '200001 and 1']);
  });

  it.each([16, 100, 5000])(
    'and is filled up with %i zeros, as after a power loss, holds every commit',
    async (zeros) => {
      const { main, wal, commits } = await made(['INSERT INTO guests VALUES (-1)', BULK]);
      const filled = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(zeros)]);
      expect(await opened(main, filled(wal))).toEqual(['300001 and 0', '300001 and 0']);
      expect(await opened(main, filled(wal.subarray(0, commits[0])))).toEqual(['1 and 0', '1 and 0']);
      expect(await opened(main, filled(wal.subarray(0, -30)))).toEqual(['1 and 0', '1 and 0']);
    },
  );

  it.each([1, 3, 12])(
    'is not taken for torn where its commit marker is damaged %i bytes before the end: the commit was acknowledged',
    async (offset) => {
      const { main, wal } = await made([BULK]);
      const at = wal.length - offset;
      wal.writeUInt8(wal.readUInt8(at) ^ 1, at);
      await writeFile(path, main);
      await writeFile(`${path}.wal`, wal);
      await expect(databaseAt(path).open()).rejects.toMatchObject({ code: 'DATABASE_CORRUPT' });
      expect((await readFile(`${path}.wal`)).equals(wal)).toBe(true);
    },
  );
});
