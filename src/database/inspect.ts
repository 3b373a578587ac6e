import { access, constants, type FileHandle, open, stat } from 'node:fs/promises';
import { readSync } from 'node:fs';
import { dirname } from 'node:path';
import { type FileHeader, type HeaderProblem, parseFileHeader } from '../duckdb-format/file-header.js';
import { blockOffset, HEADERS_SIZE } from '../duckdb-format/layout.js';
import { parseWalHeader, WAL_HEADER_MOST, walkWal } from '../duckdb-format/wal.js';
import type { ErrorCode } from '../errors/catalogue.js';
import { EiderError, messageOf } from '../errors/eider-error.js';
import { isMissing } from '../errors/system-error.js';
import type { FilePosition } from '../duckdb-format/file-position.js';
import { lockHolder } from './lock-holder.js';
import { isOpenHere } from './open-files.js';

/** What a look at a database file, without DuckDB, shows. */
export type LocalFileFacts =
  | { readonly kind: 'missing' }
  /** Not a database, or damaged: a backup can take its place. */
  | { readonly kind: 'unreadable'; readonly error: EiderError }
  /** Something that no restore may paper over: a folder, no permission, another process, a newer or encrypted file. */
  | { readonly kind: 'refused'; readonly error: EiderError }
  | { readonly kind: 'ok'; readonly header: FileHeader; readonly position: FilePosition };

const PROBLEMS: Readonly<Record<HeaderProblem, { readonly kind: 'unreadable' | 'refused'; readonly code: ErrorCode }>> =
  {
    'not-duckdb': { kind: 'unreadable', code: 'DATABASE_NOT_DUCKDB' },
    corrupt: { kind: 'unreadable', code: 'DATABASE_CORRUPT' },
    newer: { kind: 'refused', code: 'DATABASE_VERSION_NEWER' },
    encrypted: { kind: 'refused', code: 'DATABASE_ENCRYPTED' },
    'block-size': { kind: 'refused', code: 'DATABASE_VERSION_NEWER' },
  };

/**
 * Looks at a database file that nobody has open. One that is open is refused without being opened: closing a descriptor
 * of a file that this process has open would drop DuckDB's lock on it.
 */
export async function inspectDatabaseFile(path: string): Promise<LocalFileFacts> {
  const refused = (code: ErrorCode, message: string, cause?: unknown): LocalFileFacts => ({
    kind: 'refused',
    error: new EiderError(code, message, { cause, details: { path } }),
  });
  let file: FileHandle;
  try {
    const status = await stat(path, { bigint: true });
    if (status.isDirectory()) return refused('DATABASE_PATH_INVALID', `${path} is a folder.`);
    const holder = isOpenHere(status) ? process.pid : await lockHolder(status);
    if (holder !== undefined) {
      const who = holder === process.pid ? 'this process already' : 'process';
      return refused('DATABASE_LOCKED', `${path} is in use by ${who} ${holder}.`);
    }
    await access(path, constants.R_OK | constants.W_OK);
    await access(dirname(path), constants.W_OK);
    file = await open(path, 'r');
  } catch (error) {
    if (isMissing(error)) return { kind: 'missing' };
    return refused('DATABASE_PATH_INVALID', `${path} cannot be used: ${messageOf(error)}.`, error);
  }
  try {
    return await inspectOpen(file, path);
  } finally {
    await file.close();
  }
}

async function inspectOpen(file: FileHandle, path: string): Promise<LocalFileFacts> {
  const bytes = Buffer.alloc(HEADERS_SIZE);
  const { bytesRead } = await file.read(bytes, 0, HEADERS_SIZE, 0);
  const result = parseFileHeader(bytes.subarray(0, bytesRead));
  const { size } = await file.stat();
  if (!result.ok) {
    const { kind, code } = PROBLEMS[result.problem];
    const what = size === 0 ? 'it is empty' : result.detail;
    return { kind, error: new EiderError(code, `${path} is not a usable database: ${what}.`, { details: { path } }) };
  }
  const { header } = result;
  if (header.torn) {
    const error = new EiderError('DATABASE_CORRUPT', `${path} is damaged: one of its headers is torn.`, {
      details: { path },
    });
    return { kind: 'unreadable', error };
  }
  if (size < blockOffset(header.blockCount)) {
    const error = new EiderError(
      'DATABASE_CORRUPT',
      `${path} was cut: it has ${size} bytes and should have ${blockOffset(header.blockCount)}.`,
      { details: { path } },
    );
    return { kind: 'unreadable', error };
  }
  return {
    kind: 'ok',
    header,
    position: { iteration: header.iteration, offset: await offsetOf(path, header) },
  };
}

/**
 * End of the last commit after the checkpoint that the header names. A process that was killed between the header and the
 * end of its checkpoint leaves the log of before, and the commits made meanwhile in `.wal.checkpoint`, which becomes the log.
 */
async function offsetOf(path: string, header: FileHeader): Promise<number> {
  return (await lastCommit(`${path}.wal`, header)) || lastCommit(`${path}.wal.checkpoint`, header);
}

/** End of the last commit in a log that nobody writes; 0 where there is none. */
async function lastCommit(path: string, header: FileHeader): Promise<number> {
  let log: FileHandle;
  try {
    log = await open(path, 'r');
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
  try {
    const { size } = await log.stat();
    return lastCommitIn(log.fd, size, header);
  } finally {
    await log.close();
  }
}

/** End of the last commit in an open log that belongs to the file; 0 where there is none, or the log is another file's. */
export function lastCommitIn(descriptor: number, size: number, header: FileHeader): number {
  const read = reading(descriptor);
  const wal = parseWalHeader(read(0, Math.min(size, WAL_HEADER_MOST)));
  if (wal === undefined || (wal.iteration !== undefined && wal.iteration !== header.iteration)) return 0;
  return walkWal(read, wal.end, size).lastCommit;
}

/** Reads at positions of a descriptor; fewer bytes where the file ends. */
export function reading(descriptor: number): (position: number, length: number) => Buffer {
  return (position, length) => {
    const bytes = Buffer.allocUnsafe(length);
    let done = 0;
    while (done < length) {
      const read = readSync(descriptor, bytes, done, length - done, position + done);
      if (read === 0) break;
      done += read;
    }
    return bytes.subarray(0, done);
  };
}
