import { access, constants, type FileHandle, open, stat } from 'node:fs/promises';
import { readSync } from 'node:fs';
import { dirname } from 'node:path';
import { type FileHeader, hasIdentity, type HeaderProblem, parseFileHeader } from '../duckdb-format/file-header.js';
import { endOfUsedBlocks } from '../duckdb-format/free-list.js';
import { blockOffset, HEADERS_SIZE } from '../duckdb-format/layout.js';
import {
  findCommit,
  parseWalHeader,
  WAL_HEADER_MOST,
  WAL_VERSION,
  type WalHeader,
  walkWal,
} from '../duckdb-format/wal.js';
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
  // Only where the file is short of what its header counts: the list of free blocks tells whether they matter.
  const least = size < blockOffset(header.blockCount) ? endOfUsedBlocks(reading(file.fd), header) : 0;
  if (size < least) {
    const error = new EiderError(
      'DATABASE_CORRUPT',
      `${path} was cut: it has ${size} bytes and should have ${least}.`,
      { details: { path } },
    );
    return { kind: 'unreadable', error };
  }
  const log = await examineLogs(path, header);
  if (log.damage !== undefined) {
    const error = new EiderError('DATABASE_CORRUPT', `The write-ahead log of ${path} is damaged: ${log.damage}.`, {
      details: { path },
    });
    return { kind: 'unreadable', error };
  }
  return { kind: 'ok', header, position: { iteration: header.iteration, offset: log.offset } };
}

interface LogFindings {
  /** End of the last commit; 0 where there is none. */
  readonly offset: number;
  /** Why commits would be lost without a word if DuckDB opened the file. */
  readonly damage?: string;
}

/**
 * End of the last commit after the checkpoint that the header names. A process that was killed between the header and the
 * end of its checkpoint leaves the log of before, and the commits made meanwhile in `.wal.checkpoint`, which becomes the log.
 */
async function examineLogs(path: string, header: FileHeader): Promise<LogFindings> {
  const log = await examineLog(`${path}.wal`, header);
  if (log.damage !== undefined || log.offset > 0) return log;
  return examineLog(`${path}.wal.checkpoint`, header);
}

/** Looks at a log that nobody writes. */
async function examineLog(path: string, header: FileHeader): Promise<LogFindings> {
  let log: FileHandle;
  try {
    log = await open(path, 'r');
  } catch (error) {
    if (isMissing(error)) return { offset: 0 };
    throw error;
  }
  try {
    const { size } = await log.stat();
    return examineOpenLog(log.fd, size, header);
  } finally {
    await log.close();
  }
}

/**
 * DuckDB passes over a log whose header it cannot read, and over everything behind a frame that seems to be cut, without a
 * word. After a crash that is right: nothing behind the last whole commit was acknowledged. After damage it is not.
 */
function examineOpenLog(descriptor: number, size: number, header: FileHeader): LogFindings {
  const read = reading(descriptor);
  const wal = parseWalHeader(read(0, Math.min(size, WAL_HEADER_MOST)));
  if (wal === undefined || (hasIdentity(header) && !isBound(wal))) {
    // A header that a crash has cut is shorter than any whole one.
    const torn = size <= WAL_HEADER_MOST && findCommit(read, 0, size) === undefined;
    return torn ? { offset: 0 } : { offset: 0, damage: 'its header cannot be read' };
  }
  // A log of another iteration is either dropped at the end of a checkpoint, or refused by DuckDB.
  if (wal.iteration !== undefined && wal.iteration !== header.iteration) return { offset: 0 };
  const { lastCommit, lastMarker } = walkWal(read, wal.end, size);
  const lost = findCommit(read, lastMarker || wal.end, size);
  if (lost === undefined) return { offset: lastCommit };
  return {
    offset: lastCommit,
    damage: `there are commits behind byte ${lastMarker || wal.end}, where it cannot be followed`,
  };
}

/** Whether a log says which file and which checkpoint it belongs to, each once and as DuckDB writes it. */
function isBound({ version, identifier, iteration }: WalHeader): boolean {
  return version === WAL_VERSION && identifier !== undefined && iteration !== undefined;
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
