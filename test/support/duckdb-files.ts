import { DuckDBInstance } from '@duckdb/node-api';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from './core.js';

/** The bytes of a database that was open when they were read: the file, and its log with nothing folded. */
export interface DatabaseBytes {
  readonly main: Buffer;
  /** Empty where nothing was committed since the last checkpoint. */
  readonly wal: Buffer;
  /** Bytes of the log after each of the statements. */
  readonly commits: readonly number[];
}

export interface DatabaseRecipe {
  /** Options of ATTACH, beside the storage version. */
  readonly attach?: string;
  readonly storage?: string;
  /** Run before the first look at the log, with a checkpoint behind them. */
  readonly folded?: readonly string[];
  /** Each one commits once, or not at all; it may also fail. */
  readonly logged?: readonly string[];
}

/** Makes a real database and reads it as a crash would leave it. */
export async function databaseBytes({
  attach = '',
  storage = 'latest',
  folded = [],
  logged = [],
}: DatabaseRecipe): Promise<DatabaseBytes> {
  const folder = await temporaryFolder();
  const path = join(folder.path, 'made.duckdb');
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  const read = (file: string) => readFile(file).catch(() => Buffer.alloc(0));
  try {
    await connection.run("SET GLOBAL checkpoint_threshold = '100TB'");
    await connection.run('SET GLOBAL auto_checkpoint_skip_wal_threshold = 1000000000000000');
    if (attach.includes('ENCRYPTION_KEY')) await connection.run('SET force_mbedtls_unsafe = true');
    await connection.run(
      `ATTACH '${path}' AS made (STORAGE_VERSION '${storage}'${attach === '' ? '' : `, ${attach}`})`,
    );
    await connection.run('USE made');
    for (const statement of folded) await connection.run(statement);
    if (folded.length > 0) await connection.run('CHECKPOINT made');
    const commits: number[] = [];
    for (const statement of logged) {
      await connection.run(statement).catch(() => {});
      commits.push((await read(`${path}.wal`)).length);
    }
    return { main: await read(path), wal: await read(`${path}.wal`), commits };
  } finally {
    connection.closeSync();
    instance.closeSync();
    await folder.remove();
  }
}
