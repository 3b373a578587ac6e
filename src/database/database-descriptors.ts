import { closeSync, fdatasync, fstatSync, openSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { type FileHeader, parseFileHeader } from '../duckdb-format/file-header.js';
import { HEADERS_SIZE } from '../duckdb-format/layout.js';
import { COMMIT_MARKER, parseWalHeader, WAL_HEADER_MOST, walkWal } from '../duckdb-format/wal.js';
import { EiderError, messageOf } from '../errors/eider-error.js';
import { isMissing } from '../errors/system-error.js';
import type { FilePosition } from '../duckdb-format/file-position.js';
import { reading } from './inspect.js';

const sync = promisify(fdatasync);

/** A live write-ahead log, through the descriptor that is kept. */
export interface LiveWal {
  readonly descriptor: number;
  /** Bytes. */
  readonly size: number;
  readonly inode: bigint;
}

interface KeptLog {
  readonly descriptor: number;
  readonly inode: bigint;
  /** Where the last walk ended: just after a commit marker, or 0. */
  lastCommit: number;
  /** Commits up to there. */
  commits: number;
  /** How many still read it. */
  holders: number;
  /** Why nobody knows what of it is on the disk. */
  doubt: unknown;
}

/** A log whose bytes stay readable after a checkpoint has removed it. */
export interface HeldWal extends Omit<LiveWal, 'size'> {
  /** Idempotent. */
  release(): void;
}

/**
 * The descriptors of the open database.
 *
 * POSIX locks belong to the process: closing *any* descriptor of the database file drops DuckDB's lock, and another
 * process can then open the file for writing and delete the live log. So there is one descriptor per file, opened after
 * DuckDB has opened it and closed after DuckDB has closed it (https://github.com/duckdb/duckdb-sqlite/issues/82).
 */
export class DatabaseDescriptors {
  readonly #main: number;
  #logs: KeptLog[] = [];

  constructor(private readonly path: string) {
    this.#main = openSync(path, 'r');
  }

  /** For reading at positions only, also from worker threads; never to be closed by the caller. */
  mainDescriptor(): number {
    return this.#main;
  }

  /** Bytes of the database file. */
  size(): number {
    return fstatSync(this.#main).size;
  }

  /** The headers as they are now. */
  header(): FileHeader {
    const result = parseFileHeader(reading(this.#main)(0, HEADERS_SIZE));
    if (result.ok) return result.header;
    throw new EiderError('DATABASE_CORRUPT', `${this.path} is damaged: ${result.detail}.`);
  }

  /** The live log; undefined while nothing was committed since the last checkpoint. */
  wal(): LiveWal | undefined {
    const log = this.#currentLog();
    return log && { descriptor: log.descriptor, inode: log.inode, size: fstatSync(log.descriptor).size };
  }

  /** The live log, held: its descriptor stays open until it is released, or the database is closed. */
  holdWal(): HeldWal | undefined {
    const log = this.#currentLog();
    if (log === undefined) return undefined;
    log.holders++;
    let held = true;
    const release = (): void => {
      if (held) log.holders--;
      held = false;
    };
    return { descriptor: log.descriptor, inode: log.inode, release };
  }

  /**
   * Waits until a log is on the disk. What was written to it can be read before DuckDB's own fsync has returned, and is cut
   * off again where that fails.
   *
   * The system tells each descriptor of a failure only once, and the next fsync succeeds although the bytes are lost: from a
   * failure on, a log is in doubt until a checkpoint has replaced it.
   *
   * @param descriptor - of a log that is held, or the live one
   * @throws EiderError DATABASE_NOT_SYNCED
   */
  async syncLog(descriptor: number): Promise<void> {
    const log = this.#logs.find((each) => each.descriptor === descriptor);
    if (log === undefined) throw new Error('the log is not kept');
    log.holders++;
    try {
      await sync(descriptor);
    } catch (error) {
      log.doubt ??= error;
    } finally {
      log.holders--;
    }
    if (log.doubt === undefined) return;
    throw new EiderError(
      'DATABASE_NOT_SYNCED',
      `The disk did not take the write-ahead log: ${messageOf(log.doubt)}. Nothing of it is stored before a checkpoint has replaced it.`,
      { cause: log.doubt },
    );
  }

  /** The last commit in the log. */
  position(): FilePosition {
    const { iteration, offset } = this.#advance();
    return { iteration, offset };
  }

  /** How many commits the next start has to replay. */
  commitsInLog(): number {
    return this.#advance().commits;
  }

  /** Closes everything. Only after DuckDB has closed the database. */
  close(): void {
    for (const { descriptor } of this.#logs) closeSync(descriptor);
    this.#logs = [];
    closeSync(this.#main);
  }

  #currentLog(): KeptLog | undefined {
    const status = statSync(`${this.path}.wal`, { bigint: true, throwIfNoEntry: false });
    if (status === undefined) return undefined;
    return this.#logs.find(({ inode }) => inode === status.ino) ?? this.#openLog();
  }

  #openLog(): KeptLog | undefined {
    let descriptor: number;
    try {
      descriptor = openSync(`${this.path}.wal`, 'r');
    } catch (error) {
      // A checkpoint has folded it in this moment.
      if (isMissing(error)) return undefined;
      throw error;
    }
    // By now it can be another file than the one that was looked at, and one that is known: it is kept all the same.
    const log = {
      descriptor,
      inode: fstatSync(descriptor, { bigint: true }).ino,
      lastCommit: 0,
      commits: 0,
      holders: 0,
      doubt: undefined,
    };
    this.#closeReplacedLogs();
    this.#logs.push(log);
    return log;
  }

  /** A log without a name cannot be opened by another process any more, so its lock guards nothing. */
  #closeReplacedLogs(): void {
    this.#logs = this.#logs.filter(({ descriptor, holders }) => {
      if (holders > 0 || fstatSync(descriptor).nlink > 0) return true;
      closeSync(descriptor);
      return false;
    });
  }

  /**
   * The last commit. A checkpoint flips the header and then removes the log: where that happens between the two looks, the
   * log would seem to be empty in the iteration before, so both are looked at again.
   */
  #advance(): FilePosition & { readonly commits: number } {
    for (;;) {
      const { iteration } = this.header();
      const found = this.#advanceIn(iteration);
      if (this.header().iteration === iteration) return { iteration, ...found };
    }
  }

  /** Goes on from the last commit known, unless that was taken back: a failed fsync makes DuckDB cut the log again. */
  #advanceIn(iteration: number): { readonly offset: number; readonly commits: number } {
    const log = this.#currentLog();
    if (log === undefined) return { offset: 0, commits: 0 };
    const read = reading(log.descriptor);
    const { size } = fstatSync(log.descriptor);
    const header = parseWalHeader(read(0, Math.min(size, WAL_HEADER_MOST)));
    // Between the end of a checkpoint and the removal of its log, that log belongs to the iteration before.
    if (header === undefined || (header.iteration !== undefined && header.iteration !== iteration)) {
      return { offset: 0, commits: 0 };
    }
    if (!this.#stillCommitted(log, size)) Object.assign(log, { lastCommit: 0, commits: 0 });
    const { lastCommit, commits } = walkWal(read, log.lastCommit || header.end, size);
    log.lastCommit = lastCommit || log.lastCommit;
    log.commits += commits;
    return { offset: log.lastCommit, commits: log.commits };
  }

  #stillCommitted({ descriptor, lastCommit }: KeptLog, size: number): boolean {
    if (lastCommit === 0 || size < lastCommit) return false;
    return reading(descriptor)(lastCommit - COMMIT_MARKER.length, COMMIT_MARKER.length).equals(COMMIT_MARKER);
  }
}
