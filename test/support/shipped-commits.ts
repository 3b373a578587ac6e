import { FRAME_HEAD, parseWalHeader, WAL_ENTRY } from '../../src/duckdb-format/wal.js';
import { decompressor } from '../../src/repository/decompress.js';
import type { WalRecordHead } from '../../src/repository/log-record.js';
import type { Position } from '../../src/repository/position.js';
import type { Repository } from '../../src/repository/repository.js';

/** A commit marker in the bytes that were shipped. */
export interface ShippedCommit {
  readonly position: Position;
  /** The first mark that is not before it, as its record says. */
  readonly seen: number;
  readonly record: number;
}

/** Every commit of the log in order, read from the bytes themselves, whatever the heads say of them. */
export async function shippedCommits(repository: Repository): Promise<ShippedCommit[]> {
  const commits: ShippedCommit[] = [];
  const last = await repository.log.last(0);
  let carried: Buffer = Buffer.alloc(0);
  for await (const { head, payload } of repository.log.records(1, last)) {
    if (head.kind !== 'wal') continue;
    const stored = head.payload === null ? payload : await repository.store.read(head.payload.key);
    const bytes = await decoded(head, stored.subarray(0, head.wal.stored));
    carried = Buffer.concat([head.from === 0 ? Buffer.alloc(0) : carried, bytes]);
    if (carried.length !== head.to) throw new Error(`record ${head.number} does not join the one before`);
    for (const offset of markersIn(carried, head.from)) {
      const seen = head.marks.find(([mark]) => mark >= offset)?.[1] ?? NaN;
      commits.push({
        position: { lineage: head.lineage, iteration: head.iteration, offset },
        seen,
        record: head.number,
      });
    }
  }
  return commits;
}

/** Ends of the commit markers behind `from`, frame by frame. */
function markersIn(wal: Buffer, from: number): number[] {
  const ends: number[] = [];
  for (let at = from === 0 ? (parseWalHeader(wal)?.end ?? 0) : from; at < wal.length;) {
    const end = at + FRAME_HEAD + Number(wal.readBigUInt64LE(at));
    if (wal[at + FRAME_HEAD + 2] === WAL_ENTRY.flush) ends.push(end);
    at = end;
  }
  return ends;
}

async function decoded(head: WalRecordHead, stored: Buffer): Promise<Buffer> {
  if (head.compression === 'none') return stored;
  const stream = decompressor('zstd');
  const parts: Buffer[] = [];
  stream.end(stored);
  for await (const part of stream) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
