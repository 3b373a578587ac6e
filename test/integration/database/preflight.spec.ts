import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DuckDBInstance } from '@duckdb/node-api';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Engine } from '../../../src/database/engine.js';
import { inspectDatabaseFile } from '../../../src/database/inspect.js';
import { isEiderError } from '../../../src/errors/eider-error.js';
import { duckdbChecksum } from '../../../src/duckdb-format/checksum.js';
import { PACKAGE_FOLDER } from '../../../src/runtime/application.js';
import { databaseAt, testFolder } from './open-database.js';

describe('a database path that cannot be used', () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;
  let path: string;

  beforeEach(async () => {
    folder = await testFolder();
    path = join(folder.path, 'hesocial.duckdb');
  });

  afterEach(() => folder.remove());

  /** A closed database with a table, in one file. */
  async function makeDatabase(statements: readonly string[] = []): Promise<Buffer> {
    const database = databaseAt(path);
    await database.open();
    await database.write((session) => session.run('CREATE TABLE t AS FROM range(1000)'));
    await database.checkpoint();
    for (const statement of statements) await database.write((session) => session.run(statement));
    await database.close();
    return readFile(path);
  }

  const refusedWith = async (kind: 'refused' | 'unreadable', code: string, message: RegExp) => {
    const error = { code, message: expect.stringMatching(message) };
    expect(await inspectDatabaseFile(path)).toMatchObject({ kind, error });
    await expect(databaseAt(path).open()).rejects.toMatchObject(error);
  };

  /** Changes bytes of the main header and puts its checksum right again. */
  async function forgeHeader(change: (bytes: Buffer) => void): Promise<void> {
    const bytes = await makeDatabase();
    change(bytes);
    bytes.writeBigUInt64LE(duckdbChecksum(bytes.subarray(8, 4096)), 0);
    await writeFile(path, bytes);
  }

  it('is told: a folder', async () => {
    await mkdir(path);
    await refusedWith('refused', 'DATABASE_PATH_INVALID', /is a folder/);
  });

  it('is told: below a file', async () => {
    await writeFile(join(folder.path, 'file'), '');
    path = join(folder.path, 'file', 'hesocial.duckdb');
    await refusedWith('refused', 'DATABASE_PATH_INVALID', /ENOTDIR|EEXIST/);
  });

  it('is told: a folder that cannot be made', async () => {
    await expect(databaseAt('/proc/eider/hesocial.duckdb').open()).rejects.toMatchObject({
      code: 'DATABASE_PATH_INVALID',
      message: expect.stringContaining('/proc/eider/hesocial.duckdb'),
    });
  });

  it('is told: an empty file, which is left as it is', async () => {
    await writeFile(path, '');
    await refusedWith('unreadable', 'DATABASE_NOT_DUCKDB', /it is empty/);
    expect(readFileSync(path)).toHaveLength(0);
  });

  it.each([
    ['a few bytes', 'hello'],
    ['a large text', 'hello '.repeat(10_000)],
  ])('is told: %s that are no database, left as they are', async (_name, text) => {
    await writeFile(path, text);
    await refusedWith('unreadable', 'DATABASE_NOT_DUCKDB', /not a usable database/);
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it.each([
    ['the main header', 2000],
    ['the first database header', 4096 + 30],
    ['the second database header', 8192 + 30],
  ])('is told: a flipped bit in %s', async (_name, offset) => {
    const bytes = await makeDatabase(['INSERT INTO t VALUES (1)']);
    bytes[offset] = (bytes[offset] ?? 0) ^ 1;
    await writeFile(path, bytes);
    await refusedWith('unreadable', 'DATABASE_CORRUPT', /damaged|not a usable database/);
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  it('is told: a file that was cut', async () => {
    const { length } = await makeDatabase();
    await truncate(path, length - 1);
    await refusedWith('unreadable', 'DATABASE_CORRUPT', /was cut: it has \d+ bytes and should have \d+/);
  });

  it('is told: a file that a newer DuckDB wrote, with both versions', async () => {
    await forgeHeader((bytes) => bytes.writeBigUInt64LE(99n, 12));
    await refusedWith(
      'refused',
      'DATABASE_VERSION_NEWER',
      /file version 99.*file version 68, STORAGE_VERSION v1\.5\.0/,
    );
  });

  it('is told: an encrypted file', async () => {
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    await connection.run('SET force_mbedtls_unsafe = true');
    await connection.run(`ATTACH '${path}' AS secret (ENCRYPTION_KEY 'key')`);
    await connection.run('CREATE TABLE secret.t AS FROM range(10)');
    await connection.run('DETACH secret');
    connection.closeSync();
    instance.closeSync();
    await refusedWith('refused', 'DATABASE_ENCRYPTED', /encrypted/);
  });

  it('is told: a log that is none; both files are left as they are', async () => {
    const whole = await makeDatabase();
    const log = Buffer.alloc(4096, 0xff);
    await writeFile(`${path}.wal`, log);
    await refusedWith('unreadable', 'DATABASE_CORRUPT', /write-ahead log .* header cannot be read/);
    expect(readFileSync(path).equals(whole)).toBe(true);
    expect(readFileSync(`${path}.wal`).equals(log)).toBe(true);
  });

  it('is told: any bit of a log that is flipped, unless nothing is lost', async () => {
    const database = databaseAt(path);
    await database.open();
    await database.write((session) => session.run('CREATE TABLE t (i INTEGER)'));
    await database.checkpoint();
    for (const value of [1, 2]) await database.write((session) => session.run(`INSERT INTO t VALUES (${value})`));
    const copy = join(folder.path, 'copy.duckdb');
    for (const suffix of ['', '.wal']) await copyFile(`${path}${suffix}`, `${copy}${suffix}`);
    await database.close();
    const [main, log] = [readFileSync(copy), readFileSync(`${copy}.wal`)];
    const lost: number[] = [];
    for (let bit = 0; bit < log.length * 8; bit += 7) {
      const damaged = Buffer.from(log);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await writeFile(copy, main);
      await writeFile(`${copy}.wal`, damaged);
      const opened = databaseAt(copy);
      const refused = await opened.open().then(
        () => false,
        (error: unknown) => isEiderError(error),
      );
      if (refused) continue;
      const [{ rows } = { rows: 0 }] = await opened.tableCounts();
      if (rows !== 2) lost.push(bit);
      await opened.close();
    }
    expect(lost).toEqual([]);
  });

  it('is told: locked by another process, with its number', async () => {
    await makeDatabase();
    const script = `import { DuckDBInstance } from '@duckdb/node-api';
      globalThis.instance = await DuckDBInstance.create(process.argv[1]); console.log('open'); process.stdin.resume();`;
    const other = spawn(process.execPath, ['--input-type=module', '-e', script, path], {
      cwd: PACKAGE_FOLDER,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(other.stdout, 'data');
    try {
      await refusedWith('refused', 'DATABASE_LOCKED', new RegExp(`in use by process ${other.pid}`));
      // DuckDB's own words, where /proc does not tell.
      await expect(Engine.open(path, false, {})).rejects.toMatchObject({
        code: 'DATABASE_LOCKED',
        message: expect.stringContaining(`process ${other.pid}`),
      });
    } finally {
      other.kill('SIGKILL');
      await once(other, 'exit');
    }
    const database = databaseAt(path);
    await database.open();
    await database.close();
  });

  it('is told while it is in use: the disk is full, and what was committed before is safe', async () => {
    const database = databaseAt(path);
    await database.open();
    await database.write((session) => session.run('CREATE TABLE t (i INTEGER)'));
    await database.checkpoint();
    // Every write to this device fails with ENOSPC.
    await symlink('/dev/full', `${path}.wal`);
    await expect(database.write((session) => session.run('INSERT INTO t VALUES (1)'))).rejects.toMatchObject({
      code: 'DATABASE_DISK_FULL',
    });
    expect(await database.read((session) => session.all('FROM t'))).toEqual([]);
    await database.close().catch(() => {});
  });
});

describe('a database path that can be used', () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;
  let path: string;

  beforeEach(async () => {
    folder = await testFolder();
    path = join(folder.path, 'hesocial.duckdb');
  });

  afterEach(() => folder.remove());

  it('is missing at first, and then a database of the newest storage version', async () => {
    path = join(folder.path, 'new', 'folders', 'hesocial.duckdb');
    expect(await inspectDatabaseFile(path)).toEqual({ kind: 'missing' });
    const database = databaseAt(path);
    await database.open();
    expect(database.files.header()).toMatchObject({ version: 68, torn: false });
    await database.close();
    expect(await inspectDatabaseFile(path)).toMatchObject({ kind: 'ok', header: { version: 68 } });
  });

  it('keeps a log that has lost its database: DuckDB would delete it', async () => {
    await writeFile(`${path}.wal`, 'the newest commits');
    const database = databaseAt(path);
    await database.open();
    await database.close();
    const kept = (await readdir(folder.path)).filter((name) => name.includes('.wal.orphaned-'));
    expect(kept).toHaveLength(1);
    expect(await readFile(join(folder.path, kept[0] ?? ''), 'utf8')).toBe('the newest commits');
  });

  it('has the position before it is opened that it has afterwards', async () => {
    const database = databaseAt(path);
    await database.open();
    await database.write((session) => session.run('CREATE TABLE t AS FROM range(10)'));
    await database.write((session) => session.run('INSERT INTO t VALUES (11)'));
    const position = await database.position();
    const copy = join(folder.path, 'copy.duckdb');
    await database.guardCheckpoint(async () => {
      // A copy made by another process would be taken in real life: closing these descriptors drops the lock.
      for (const suffix of ['', '.wal']) await copyFile(`${path}${suffix}`, `${copy}${suffix}`);
    });
    await database.close();
    expect(await inspectDatabaseFile(copy)).toMatchObject({ kind: 'ok', position });
    const copied = databaseAt(copy);
    await copied.open();
    expect(await copied.position()).toEqual(position);
    expect(await copied.tableCounts()).toEqual([{ schema: 'main', name: 't', rows: 11 }]);
    await copied.close();
  });

  it('replays logs that DuckDB cannot replay when it opens them directly', async () => {
    const database = databaseAt(path);
    await database.open();
    await database.write((session) => session.run('CREATE TABLE t AS FROM range(3)'));
    await database.checkpoint();
    await database.write((session) => session.run('ALTER TABLE t ADD COLUMN added TIMESTAMPTZ DEFAULT now()'));
    const copy = join(folder.path, 'copy.duckdb');
    for (const suffix of ['', '.wal']) await copyFile(`${path}${suffix}`, `${copy}${suffix}`);
    await database.close();
    const direct = join(folder.path, 'direct.duckdb');
    for (const suffix of ['', '.wal']) await copyFile(`${copy}${suffix}`, `${direct}${suffix}`);
    await expect(DuckDBInstance.create(direct)).rejects.toThrow('GetDefaultDatabase');
    const copied = databaseAt(copy);
    await copied.open();
    expect(await copied.tableCounts()).toEqual([{ schema: 'main', name: 't', rows: 3 }]);
    await copied.close();
    expect(existsSync(`${copy}.wal`)).toBe(false);
  });

  it('keeps views that name the catalog, under the name that DuckDB itself gives to the file', async () => {
    for (const file of ['hesocial.production.duckdb', 'main.duckdb', '.hidden.duckdb', 'ünï "1".duckdb']) {
      path = join(folder.path, file);
      const instance = await DuckDBInstance.create(path);
      const connection = await instance.connect();
      const [row] = (await connection.runAndReadAll('SELECT current_database() AS name')).getRowObjectsJS();
      const quoted = `"${(row as { name: string }).name.replaceAll('"', '""')}"`;
      await connection.run(`CREATE TABLE t AS FROM range(3); CREATE VIEW v AS SELECT * FROM ${quoted}.main.t`);
      connection.closeSync();
      instance.closeSync();
      const database = databaseAt(path);
      await database.open();
      expect(await database.read((session) => session.all('SELECT count(*)::INTEGER AS n FROM v'))).toEqual([{ n: 3 }]);
      await database.close();
    }
  });
});
