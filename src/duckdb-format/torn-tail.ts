import { duckdbChecksum } from './checksum.js';
import { FRAME_HEAD, type ReadAt, WAL_ENTRY } from './wal.js';

/** Bytes that are looked at together. */
const STEP = 256 * 1024;

/**
 * Whether DuckDB would do the wrong thing with what a crash left behind the last commit, so that it must be cut off before:
 *
 * - row groups that point into the database file are replayed as they are read, before it is known that no commit marker
 *   follows: half a transaction would be there for good (https://github.com/duckdb/duckdb/pull/25931);
 * - zeros, which a file system leaves where a power loss came before the data, make it refuse the whole file.
 *
 * No where a frame is damaged otherwise: that is no torn end, and a damaged commit marker must not pass for one.
 *
 * @param from - where a walk found the last commit to end, or the end of the header
 * @param size - bytes of the log
 */
export function hasHarmfulTail(read: ReadAt, from: number, size: number): boolean {
  let rowGroups = false;
  for (let at = from; at + FRAME_HEAD <= size;) {
    const head = read(at, FRAME_HEAD);
    const length = head.readBigUInt64LE(0);
    if (length > BigInt(size - at - FRAME_HEAD)) break;
    const payload = read(at + FRAME_HEAD, Number(length));
    const end = at + FRAME_HEAD + payload.length;
    if (payload.length < 3 || head.readBigUInt64LE(8) !== duckdbChecksum(payload)) {
      // An entry ends with ffff: its last bytes are zero only where they were never written.
      const unwritten = payload.length === 0 ? head : payload.subarray(-2);
      return isZero(unwritten) && zerosFollow(read, end, size);
    }
    const type = payload[2];
    if (type === WAL_ENTRY.flush) return false;
    rowGroups ||= type === WAL_ENTRY.rowGroupData;
    at = end;
  }
  return rowGroups;
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}

function zerosFollow(read: ReadAt, from: number, size: number): boolean {
  for (let at = from; at < size; at += STEP) if (!isZero(read(at, Math.min(STEP, size - at)))) return false;
  return true;
}
