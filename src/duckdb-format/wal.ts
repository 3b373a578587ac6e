/**
 * DuckDB's write-ahead log: a header, then frames `u64 size, u64 checksum, payload`. The payload begins with the field id
 * 100 and the type of the entry. Source: `WriteAheadLog::WriteHeader` and `ChecksumWriter` in `write_ahead_log.cpp`.
 */

/** The frame that ends every commit, byte for byte: an entry of type 100 (WAL_FLUSH), which has no fields. */
export const COMMIT_MARKER = Buffer.from('0500000000000000e7fe7d722fed3d5e640064ffff', 'hex');
/** Bytes before the payload of a frame. */
export const FRAME_HEAD = 16;
/** Types of entries that matter here. */
export const WAL_ENTRY = { rowGroupData: 29, version: 98, checkpoint: 99, flush: 100 } as const;
/** The header is at most this long: 6 fields, varints of at most 10 bytes. */
export const WAL_HEADER_MOST = 128;

/** Version of a log that is not encrypted. */
export const WAL_VERSION = 2;

/** What the header of a log tells. */
export interface WalHeader {
  /** 2, or 3 where the log is encrypted. */
  readonly version: number;
  /** Identity of the database, 32 hex digits; undefined below storage version v1.4.0. */
  readonly identifier: string | undefined;
  /** Checkpoint counter that the log continues; undefined below storage version v1.4.0. */
  readonly iteration: number | undefined;
  /** Where the first frame begins. */
  readonly end: number;
}

/** Reads a log's header; undefined when the bytes are none, or not all of it. */
export function parseWalHeader(bytes: Buffer): WalHeader | undefined {
  const reader = new FieldReader(bytes);
  try {
    if (reader.u16() !== 100 || reader.u8() !== WAL_ENTRY.version) return undefined;
    let version = 0;
    let identifier: string | undefined;
    let iteration: number | undefined;
    for (let field = reader.u16(); field !== 0xffff; field = reader.u16()) {
      if (field === 101) version = reader.varint();
      else if (field === 102) identifier = reader.identifier();
      else if (field === 103) iteration = reader.varint();
      else return undefined;
    }
    return { version, identifier, iteration, end: reader.at };
  } catch (error) {
    if (error instanceof MalformedHeader) return undefined;
    throw error;
  }
}

class MalformedHeader extends Error {}

class FieldReader {
  at = 0;

  constructor(private readonly bytes: Buffer) {}

  u8(): number {
    return this.bytes.readUInt8(this.#advance(1));
  }

  u16(): number {
    return this.bytes.readUInt16LE(this.#advance(2));
  }

  varint(): number {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte >= 0x80 && shift < 49n) continue;
      if (byte >= 0x80 || value > BigInt(Number.MAX_SAFE_INTEGER)) throw new MalformedHeader('a number is too large');
      return Number(value);
    }
  }

  /** 16 bytes, each written as a number. */
  identifier(): string {
    if (this.varint() !== 16) throw new MalformedHeader('an identity has 16 bytes');
    return Buffer.from(Array.from({ length: 16 }, () => this.varint())).toString('hex');
  }

  #advance(bytes: number): number {
    if (this.at + bytes > this.bytes.length) throw new MalformedHeader('the header ends too early');
    this.at += bytes;
    return this.at - bytes;
  }
}

/** Reads bytes at a position of the log; fewer where it ends. */
export type ReadAt = (position: number, length: number) => Buffer;

/** How far a walk came. */
export interface WalkResult {
  /** Just after the last commit marker; 0 where there is none. */
  readonly lastCommit: number;
  /** The same, or just after the record of a checkpoint that follows it; 0 where there is neither. */
  readonly lastMarker: number;
  /** Just after the commit before that one; 0 where the walk passed none. */
  readonly commitBefore: number;
  /** Commits that the walk passed. */
  readonly commits: number;
  /** Whether one of these commits points at row groups that lie in the database file. */
  readonly rowGroups: boolean;
}

/**
 * Walks frame by frame from `from` to the last whole commit.
 *
 * Only the 17 bytes at the head of each frame are looked at, since one frame can have hundreds of MB. A frame that is not
 * all there yet ends the walk: it is being written, or was torn by a crash.
 *
 * A checkpoint begins with a record of its own, which ends with a marker but is no commit: where the checkpoint comes to no
 * end, DuckDB cuts it off again at the next start, and the next commit takes its place.
 *
 * @param from - the end of the header, or the end of a commit marker
 * @param size - bytes of the log to look at
 */
export function walkWal(read: ReadAt, from: number, size: number): WalkResult {
  const reader = new WindowReader(read, size);
  let lastCommit = 0;
  let lastMarker = 0;
  let commitBefore = 0;
  let commits = 0;
  let rowGroups = false;
  let uncommittedRowGroups = false;
  let isCheckpoint = false;
  for (let at = from; at + FRAME_HEAD < size;) {
    const head = reader.bytes(at, FRAME_HEAD + 3);
    if (head.length < FRAME_HEAD + 3) break;
    const length = head.readBigUInt64LE(0);
    if (length > BigInt(size - at - FRAME_HEAD)) break;
    const end = at + FRAME_HEAD + Number(length);
    const type = head[FRAME_HEAD + 2];
    uncommittedRowGroups ||= type === WAL_ENTRY.rowGroupData;
    isCheckpoint ||= type === WAL_ENTRY.checkpoint;
    if (type === WAL_ENTRY.flush) {
      if (!reader.bytes(at, COMMIT_MARKER.length).equals(COMMIT_MARKER)) break;
      lastMarker = end;
      if (!isCheckpoint) {
        commitBefore = lastCommit;
        lastCommit = end;
        commits++;
        rowGroups ||= uncommittedRowGroups;
      }
      isCheckpoint = false;
    }
    at = end;
  }
  return { lastCommit, lastMarker, commitBefore, commits, rowGroups };
}

/** The checksum and the payload of a commit marker: what is left of it when its length is damaged. */
const MARKER_BODY = COMMIT_MARKER.subarray(8);

/**
 * Where the first commit marker ends in a stretch of the log, whatever its length field says; undefined where there is none.
 *
 * For what is left of a log when a walk has ended: DuckDB takes all of it for the torn end of a commit that never was, and
 * drops it without a word. But a commit marker in it means that something before it was damaged, such as the length of a
 * frame, and that commits would be lost.
 */
export function findCommit(read: ReadAt, from: number, size: number): number | undefined {
  for (let at = from; at < size; at += WINDOW) {
    // Windows overlap, so that a marker on their border is found.
    const found = read(at, Math.min(WINDOW + MARKER_BODY.length - 1, size - at)).indexOf(MARKER_BODY);
    if (found >= 0) return at + found + MARKER_BODY.length;
  }
  return undefined;
}

/** Bytes that are read ahead: small frames come in thousands, and each needs only a few. */
const WINDOW = 256 * 1024;

class WindowReader {
  #start = 0;
  #window: Buffer = Buffer.alloc(0);

  constructor(
    private readonly read: ReadAt,
    private readonly size: number,
  ) {}

  bytes(position: number, length: number): Buffer {
    const from = position - this.#start;
    if (from < 0 || from + length > this.#window.length) {
      this.#start = position;
      this.#window = this.read(position, Math.min(WINDOW, this.size - position));
      return this.#window.subarray(0, length);
    }
    return this.#window.subarray(from, from + length);
  }
}
