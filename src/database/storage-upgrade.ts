import { randomBytes } from 'node:crypto';
import { copyFile, open, readFile, rm } from 'node:fs/promises';
import { type FileHeader, hasIdentity, withIdentifier } from '../duckdb-format/file-header.js';
import { HEADER_SIZE } from '../duckdb-format/layout.js';
import { EiderError, messageOf } from '../errors/eider-error.js';
import { writeFully } from '../runtime/write-fully.js';
import { catalogNameOf, quoteIdentifier, quoteLiteral } from './catalog-name.js';
import { exists, removeDatabase, stateFileOf } from './database-files.js';
import { replaceFile } from '../runtime/replace-file.js';
import { checkDatabase } from './database-check.js';
import { duckdb } from './duckdb.js';
import { inspectDatabaseFile } from './inspect.js';
import { DatabaseSwap } from './swap.js';

/**
 * Gives a database file an identity, which its log is then bound to: without one DuckDB replays a log of another
 * generation in silence.
 *
 * The file must be a working copy. DuckDB writes memory that it never set as the identity of an upgraded file
 * (`ConstructMainHeader`), so two files can get the same one; a random one is put in its place. The second opening shows that
 * DuckDB takes the file as it is then.
 *
 * @returns false when the file has one already
 * @throws EiderError DATABASE_UPGRADE_FAILED
 */
export async function upgradeStorage(path: string): Promise<boolean> {
  const before = await inspectDatabaseFile(path);
  if (before.kind !== 'ok')
    throw upgradeFailed(path, before.kind === 'missing' ? 'it is missing' : before.error.message);
  if (hasIdentity(before.header)) return false;
  try {
    // A checkpoint with nothing to do would leave the file as it is.
    await openOnce(path, [
      'CREATE TABLE db.main.eider_upgrade (i INTEGER)',
      'DROP TABLE db.main.eider_upgrade',
      'CHECKPOINT db',
    ]);
    await stampIdentity(path);
    await openOnce(path, []);
  } catch (error) {
    throw upgradeFailed(path, messageOf(error), error);
  }
  const after = await inspectDatabaseFile(path);
  if (after.kind !== 'ok' || !hasIdentity(after.header)) {
    throw upgradeFailed(path, 'the file has no identity afterwards');
  }
  return true;
}

/**
 * Upgrades the closed database at `path`: on a copy, which is checked and compared, and then swapped in. The original is
 * kept as `<path>.before-upgrade-<time>`.
 *
 * @returns false when no upgrade was needed
 * @throws EiderError DATABASE_UPGRADE_FAILED, DATABASE_DISK_FULL; the original is in place
 */
export async function upgradeInPlace(path: string, header: FileHeader, now: Date): Promise<boolean> {
  if (hasIdentity(header)) return false;
  const copy = `${path}.upgrading`;
  await removeDatabase(copy);
  try {
    // The database is not open in this process, so copying it drops no lock.
    // A checkpoint that was killed leaves its later commits in `.wal.checkpoint`; without it they are lost in silence.
    for (const suffix of ['', '.wal', '.wal.checkpoint', '.wal.recovery']) {
      if (await exists(`${path}${suffix}`)) await copyFile(`${path}${suffix}`, `${copy}${suffix}`);
    }
    const catalog = catalogNameOf(path);
    // Reading folds the log, so the copy is read both times: as it was, and upgraded.
    const original = await checkDatabase({ path: copy, catalog }, undefined);
    await upgradeStorage(copy);
    await checkDatabase({ path: copy, catalog }, original);
    await carryState(path, copy);
    const file = await open(copy, 'r+');
    await file.sync();
    await file.close();
  } catch (error) {
    await removeDatabase(copy);
    if (/ENOSPC|No space left/i.test(messageOf(error))) {
      throw new EiderError('DATABASE_DISK_FULL', `There is no room to upgrade ${path} on a copy.`, { cause: error });
    }
    throw error instanceof EiderError && error.code === 'DATABASE_UPGRADE_FAILED'
      ? error
      : upgradeFailed(path, messageOf(error), error);
  }
  const time = now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  const swap = await DatabaseSwap.begin(path, copy, `${path}.before-upgrade-${time}`);
  await swap.commit();
  await rm(`${copy}.wal`, { force: true });
  return true;
}

/** The state beside the database is bound to its identity, which is another one now; its history is the same. */
async function carryState(path: string, copy: string): Promise<void> {
  const upgraded = await inspectDatabaseFile(copy);
  if (upgraded.kind !== 'ok' || !(await exists(stateFileOf(path)))) return;
  const state: unknown = JSON.parse(await readFile(stateFileOf(path), 'utf8'));
  if (typeof state !== 'object' || state === null) return;
  await replaceFile(stateFileOf(copy), JSON.stringify({ ...state, identifier: upgraded.header.identifier }));
}

async function stampIdentity(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const main = Buffer.alloc(HEADER_SIZE);
    await file.read(main, 0, HEADER_SIZE, 0);
    await writeFully(file, withIdentifier(main, randomBytes(16)), 0);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function openOnce(path: string, statements: readonly string[]): Promise<void> {
  const instance = await duckdb().DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    await connection.run(`ATTACH ${quoteLiteral(path)} AS ${quoteIdentifier('db')} (STORAGE_VERSION 'latest')`);
    for (const statement of statements) await connection.run(statement);
    await connection.run('DETACH db');
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function upgradeFailed(path: string, why: string, cause?: unknown): EiderError {
  return new EiderError('DATABASE_UPGRADE_FAILED', `${path} could not be upgraded: ${why}.`, { cause });
}
