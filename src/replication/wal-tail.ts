import { fstatSync } from 'node:fs';
import type { DatabaseDescriptors, HeldWal } from '../database/database-descriptors.js';
import { reading } from '../database/inspect.js';
import { parseWalHeader, WAL_HEADER_MOST, walkWal } from '../duckdb-format/wal.js';
import type { CommitMark } from '../repository/log-record.js';

/** Bytes before the last commit seen that are looked at again: DuckDB cuts off a commit whose fsync failed. */
const TAIL_BYTES = 4096;

/** Marks that one record has at most: the head of a record is read as a whole. */
const MOST_MARKS = 10_000;

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

/** What one look found. */
interface Sighting {
  readonly commits: number;
  readonly rowGroups: boolean;
  readonly mark: CommitMark;
}

/** Follows the write-ahead log of one iteration from commit to commit. */
export class WalTail {
  #log: HeldWal | undefined;
  #size = 0;
  #modified = 0n;
  #to: number;
  #commitBefore: number;
  #tail: Buffer = Buffer.alloc(0);
  #pending: Sighting[] = [];
  #readers = 0;
  #closed = false;

  /**
   * @param iteration - DuckDB's checkpoint counter that the log continues
   * @param from - where to go on, just after a commit marker; 0 for the beginning
   */
  constructor(
    private readonly files: DatabaseDescriptors,
    readonly iteration: number,
    private from: number,
    private readonly mostMarks = MOST_MARKS,
  ) {
    this.#to = from;
    this.#commitBefore = from;
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
    return this.#pending[0]?.mark[1];
  }

  /** Just after the last commit but one: only the last one can be taken back, since DuckDB writes one after the other. */
  get commitBefore(): number {
    return this.#commitBefore;
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
      // Commits and a checkpoint can come between two looks: then only the header tells.
      if (live === undefined && this.#to > 0) return 'replaced';
      if (live === undefined || !this.#adopt()) {
        return this.files.header().iteration === this.iteration ? 'idle' : 'replaced';
      }
    }
    const log = this.#log;
    if (log === undefined) return 'idle';
    // What was committed before the checkpoint is still to be seen through the descriptor.
    const replaced = live?.inode !== log.inode;
    const { size, mtimeNs } = fstatSync(log.descriptor, { bigint: true });
    // A commit that was taken back and the one written in its place can have the same size.
    if (Number(size) === this.#size && mtimeNs === this.#modified && !replaced) return 'idle';
    this.#modified = mtimeNs;
    if (!this.#stillThere(log.descriptor, Number(size))) return 'taken-back';
    const grown = this.#advance(log.descriptor, Number(size), now);
    if (replaced) return 'replaced';
    return grown ? 'grown' : 'idle';
  }

  /** Hands over what was seen, as much as one record can hold; undefined where there is nothing. */
  take(): SeenCommits | undefined {
    const taken = this.#pending.splice(0, this.mostMarks);
    const to = taken.at(-1)?.mark[0];
    if (to === undefined) return undefined;
    const seen = {
      from: this.from,
      to,
      commits: taken.reduce((sum, { commits }) => sum + commits, 0),
      rowGroups: taken.some(({ rowGroups }) => rowGroups),
      marks: taken.map(({ mark }) => mark),
    };
    this.from = to;
    return seen;
  }

  /** Takes back what could not be shipped. */
  putBack({ from, commits, rowGroups, marks }: SeenCommits): void {
    this.from = from;
    const rest = marks.map((mark, index): Sighting => ({ commits: index === 0 ? commits : 0, rowGroups, mark }));
    this.#pending = [...rest, ...this.#pending];
  }

  /** Whether everything seen so far is still in the log. */
  isIntact(): boolean {
    const log = this.#log;
    return log !== undefined && this.#stillThere(log.descriptor, fstatSync(log.descriptor).size);
  }

  /**
   * Keeps the log readable while it is read, even if the tail is closed meanwhile: a descriptor that is closed can at once
   * be that of another file.
   */
  async reading<T>(work: () => Promise<T>): Promise<T> {
    this.#readers++;
    try {
      return await work();
    } finally {
      this.#readers--;
      this.#letGo();
    }
  }

  /** Lets go of the log, when nobody reads it any more. */
  close(): void {
    this.#closed = true;
    this.#letGo();
  }

  #letGo(): void {
    if (!this.#closed || this.#readers > 0) return;
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
    const { lastCommit, commitBefore, commits, rowGroups } = walkWal(read, start, size);
    this.#size = size;
    if (lastCommit === 0) return false;
    this.#commitBefore = commitBefore || this.#to;
    this.#to = lastCommit;
    this.#tail = this.#read(descriptor, lastCommit);
    this.#pending.push({ commits, rowGroups, mark: [lastCommit, now] });
    return true;
  }

  /** The last bytes before `end`. */
  #read(descriptor: number, end: number): Buffer {
    const length = Math.min(TAIL_BYTES, end);
    return reading(descriptor)(end - length, length);
  }
}
