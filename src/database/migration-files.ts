import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EiderError } from '../errors/eider-error.js';
import { PACKAGE_FOLDER } from '../runtime/application.js';

/** One file of `database/migrations`. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file, in hex. */
  readonly sha256: string;
  /** Whether a release that does not know this migration works on the migrated database. */
  readonly backwardCompatible: boolean;
}

/** Where the SQL files are. */
export const SQL_FOLDER = join(PACKAGE_FOLDER, 'database');

const FILE_NAME = /^(\d{4})-([a-z0-9-]+)\.sql$/;
/** The mark: a line of its own in the comment at the top of the file. */
const COMPATIBLE = /^(?:[ \t]*(?:--.*)?\r?\n)*--[ \t]*backward-compatible[ \t]*\r?(?:\n|$)/;

/** Reads the migrations, ordered by their names. Throws MIGRATION_INVALID for a name that does not fit. */
export async function readMigrations(folder: string): Promise<Migration[]> {
  const migrations: Migration[] = [];
  for (const file of (await readdir(folder)).toSorted()) {
    const match = FILE_NAME.exec(file);
    if (match === null) throw new EiderError('MIGRATION_INVALID', `${file} is not called NNNN-name.sql.`);
    const bytes = await readFile(join(folder, file));
    const sql = bytes.toString('utf8');
    migrations.push({
      version: Number(match[1]),
      name: match[2] ?? '',
      sql,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      backwardCompatible: COMPATIBLE.test(sql),
    });
  }
  return migrations;
}
