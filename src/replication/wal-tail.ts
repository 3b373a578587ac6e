import { fstatSync } from 'node:fs';
import type { DatabaseDescriptors, HeldWal } from '../database/database-descriptors.js';
import { reading } from '../database/inspect.js';
import { parseWalHeader, WAL_HEADER_MOST, walkWal } from '../duckdb-format/wal.js';
import type { CommitMark } from '../repository/log-record.js';

/** Bytes before the last commit seen that are looked at again: DuckDB cuts off a commit whose fsync failed. */
const TAIL_BYTES = 4096;

/** Commits of one iteration that were seen and not taken yet. */
export interface SeenCommits {
  /** First byte, and the byte just after the last commit marker. */
  readonly from: number;
  readonly to: number;
  readonly commits: number;
  /** Whether one of them points at row groups in the database file. */
  readonly rowGroups: boolean;
  readonly marks: readonly CommitMark[];
}

/** What a look at the log showed. */
export type TailFinding =
  | 'idle'
  | 'grown'
  /** A commit that was seen is not there any more. */
  | 'taken-back'
  /** A checkpoint has replaced the log; what was in it is still read through the held descriptor. */
  | 'replaced';

/** Follows the write-ahead log of one iteration from commit to commit. */
export class WalTail {
  #log: HeldWal | undefined;
  #size = 0;
  #to: number;
  #tail: Buffer = Buffer.alloc(0);
  #pending: { commits: number; rowGroups: boolean; marks: CommitMark[] } = { commits: 0, rowGroups: false, marks: [] };

  /**
   * @param iteration - DuckDB's checkpoint counter that the log continues
   * @param from - where to go on, just after a commit marker; 0 for the beginning
   */
  constructor(
    private readonly files: DatabaseDescriptors,
    readonly iteration: number,
    private from: number,
  ) {
    this.#to = from;
  }

  /** Just after the last commit seen. */
  get position(): number {
    return this.#to;
  }

  /** Bytes that were seen and not taken. */
  get waiting(): number {
    return this.#to - this.from;
  }

  /** When the oldest commit that was not taken was seen, ms since 1970. */
  get waitingSince(): number | undefined {
    return this.#pending.marks[0]?.[1];
  }

  /** For reading what was seen; undefined before the first commit. */
  get descriptor(): number | undefined {
    return this.#log?.descriptor;
  }

  /**
   * Looks for new commits.
   *
   * @param now - ms since 1970, noted as the time at which they were first seen
   */
  look(now: number): TailFinding {
    const live = this.files.wal();
    if (this.#log === undefined) {
      if (live === undefined) return this.#to > 0 ? 'replaced' : 'idle';
      if (!this.#adopt()) return this.files.header().iteration === this.iteration ? 'idle' : 'replaced';
    }
    const log = this.#log;
    if (log === undefined) return 'idle';
    // What was committed before the checkpoint is still to be seen through the descriptor.
    const replaced = live?.inode !== log.inode;
    const { size } = fstatSync(log.descriptor);
    if (size === this.#size && !replaced) return 'idle';
    if (!this.#stillThere(log.descriptor, size)) return 'taken-back';
    const grown = this.#advance(log.descriptor, size, now);
    if (replaced) return 'replaced';
    return grown ? 'grown' : 'idle';
  }

  /** Hands over what was seen; undefined where there is nothing. */
  take(): SeenCommits | undefined {
    if (this.#to === this.from) return undefined;
    const seen = { from: this.from, to: this.#to, ...this.#pending };
    this.from = this.#to;
    this.#pending = { commits: 0, rowGroups: false, marks: [] };
    return seen;
  }

  /** Takes back what could not be shipped. */
  putBack(seen: SeenCommits): void {
    this.from = seen.from;
    this.#pending = {
      commits: seen.commits + this.#pending.commits,
      rowGroups: seen.rowGroups || this.#pending.rowGroups,
      marks: [...seen.marks, ...this.#pending.marks],
    };
  }

  /** Lets go of the log. */
  close(): void {
    this.#log?.release();
    this.#log = undefined;
  }

  /** Holds the live log where it is that of this iteration. */
  #adopt(): boolean {
    const log = this.files.holdWal();
    if (log === undefined) return false;
    const header = parseWalHeader(reading(log.descriptor)(0, WAL_HEADER_MOST));
    if (header?.iteration !== this.iteration) {
      log.release();
      return false;
    }
    this.#log = log;
    this.#tail = this.#read(log.descriptor, this.#to);
    return true;
  }

  #stillThere(descriptor: number, size: number): boolean {
    return size >= this.#to && this.#read(descriptor, this.#to).equals(this.#tail);
  }

  #advance(descriptor: number, size: number, now: number): boolean {
    const read = reading(descriptor);
    const start = this.#to || (parseWalHeader(read(0, WAL_HEADER_MOST))?.end ?? 0);
    const { lastCommit, commits, rowGroups } = walkWal(read, start, size);
    this.#size = size;
    if (lastCommit === 0) return false;
    this.#to = lastCommit;
    this.#tail = this.#read(descriptor, lastCommit);
    this.#pending.commits += commits;
    this.#pending.rowGroups ||= rowGroups;
    this.#pending.marks.push([lastCommit, now]);
    return true;
  }

  /** The last bytes before `end`. */
  #read(descriptor: number, end: number): Buffer {
    const length = Math.min(TAIL_BYTES, end);
    return reading(descriptor)(end - length, length);
  }
}
