import { type FileHandle, open } from 'node:fs/promises';
import { hasHarmfulTail } from '../duckdb-format/torn-tail.js';
import { parseWalHeader, WAL_HEADER_MOST, walkWal } from '../duckdb-format/wal.js';
import { isMissing } from '../errors/system-error.js';
import { reading } from './inspect.js';

/**
 * Cuts what a crash left behind the last commit of a database's logs, where DuckDB would bring half a transaction back or
 * refuse the file. Everything else in a log is left to DuckDB.
 *
 * @param path - a database that nobody has open, and whose logs were inspected
 * @returns the logs that were cut
 */
export async function cutTornLogs(path: string): Promise<string[]> {
  const cut: string[] = [];
  // The second one holds commits made during a checkpoint that was killed; DuckDB appends it to the first.
  for (const log of [`${path}.wal`, `${path}.wal.checkpoint`]) if (await cutTornLog(log)) cut.push(log);
  return cut;
}

async function cutTornLog(path: string): Promise<boolean> {
  let log: FileHandle;
  try {
    log = await open(path, 'r+');
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  try {
    const { size } = await log.stat();
    const read = reading(log.fd);
    const header = parseWalHeader(read(0, Math.min(size, WAL_HEADER_MOST)));
    if (header === undefined) return false;
    const end = walkWal(read, header.end, size).lastCommit || header.end;
    if (!hasHarmfulTail(read, end, size)) return false;
    await log.truncate(end);
    await log.sync();
    return true;
  } finally {
    await log.close();
  }
}
