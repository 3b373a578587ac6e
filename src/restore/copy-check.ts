import type { DatabaseCheck, ExpectedContents } from '../database/database-check.js';
import { inspectDatabaseFile } from '../database/inspect.js';
import { upgradeStorage } from '../database/storage-upgrade.js';
import { comparePositions } from '../duckdb-format/file-position.js';
import type { Keyring } from '../encryption/keyring.js';
import { EiderError } from '../errors/eider-error.js';
import type { FoundBackup } from '../repository/repository.js';
import { tablesOf } from '../repository/sealed-facts.js';
import type { RestoredFile } from './restored-state.js';

/** The file of a working copy, and the name by which DuckDB attaches it. */
export interface CopyFile {
  readonly path: string;
  readonly catalog: string;
}

/**
 * Opens a working copy and looks whether it holds what its backup says; one file without a log is left.
 *
 * @throws EiderError RESTORE_CHECK_FAILED
 */
export async function checkCopy(
  check: DatabaseCheck,
  found: FoundBackup,
  file: CopyFile,
  keyring: Keyring,
): Promise<void> {
  await check.run(file, contentsOf(found, keyring));
  if (found.kind === 'foreign') await upgradeStorage(file.path);
}

/** Whose history a working copy is of, and where in it. Throws RESTORE_CHECK_FAILED. */
export async function identifyCopy(path: string): Promise<RestoredFile> {
  const facts = await inspectDatabaseFile(path);
  if (facts.kind === 'ok') return { identifier: facts.header.identifier, position: facts.position };
  const why = facts.kind === 'missing' ? 'it is missing' : facts.error.message;
  throw new EiderError('RESTORE_CHECK_FAILED', `The restored file is not a usable database: ${why}`);
}

/** What a backup says that it holds; nothing says so of other points. */
function contentsOf(found: FoundBackup, keyring: Keyring): ExpectedContents | undefined {
  if (found.kind === 'foreign') return undefined;
  const { manifest, point } = found;
  if (point !== undefined && comparePositions(point.position, manifest.position) !== 0) return undefined;
  return { tables: tablesOf(manifest, keyring), duckdbVersion: manifest.database.duckdbVersion };
}
