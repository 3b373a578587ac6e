import type { FoundBackup } from '../repository/repository.js';
import type { WalRecordHead } from '../repository/log-record.js';
import type { RestorePoint } from '../repository/point-in-time.js';
import type { Position } from '../repository/position.js';

/** What a restore will do: served as a dry run. */
export interface RestorePlan {
  readonly backup: string;
  readonly source: 'eider' | 'foreign';
  readonly createdAt: string;
  /** Where the database will be in its history; null where the backup does not tell. */
  readonly position: Position | null;
  /** True when the history goes on; false when a new lineage begins because newer backups exist. */
  readonly continuesLineage: boolean;
  /** Objects to read, and their bytes. */
  readonly objects: number;
  readonly bytesToFetch: number;
  /** Bytes of the restored database file; null where only fetching tells. */
  readonly databaseBytes: number | null;
  /** Bytes that must be free on the database's disk, and that are. */
  readonly bytesNeeded: number;
  readonly bytesFree: number;
  /** At the speed of the last restore of this process, else at 50 MB/s. */
  readonly estimatedSeconds: number;
  /** The commit that is reached; null where a backup was named. */
  readonly point: PlannedPoint | null;
}

/** A commit that a restore reaches. */
export interface PlannedPoint {
  readonly position: Position;
  /** When it was first seen; null where it is the backup's own. */
  readonly committedAt: string | null;
  /** When the commit after it was first seen, which is not reached; null where none is known. */
  readonly nextCommitAt: string | null;
  /** Records of the log that are applied, and the commits in them. */
  readonly records: number;
  readonly commits: number;
}

/** Room for what the check and the checkpoint write beside the data, bytes. */
const MARGIN = 64 * 1024 * 1024;
const ASSUMED_BYTES_PER_SECOND = 50_000_000;

/** Bytes that must be free for a second copy of a database: folding its log writes the log's content once more. */
export function roomToRestore(databaseBytes: number, walBytes: number): number {
  return databaseBytes + 2 * walBytes + MARGIN;
}

/** Works out a plan. Pure. */
export function planRestore(
  found: FoundBackup,
  facts: {
    readonly newest: string | undefined;
    readonly bytesFree: number;
    readonly bytesPerSecond?: number | undefined;
  },
): RestorePlan {
  const speed = facts.bytesPerSecond ?? ASSUMED_BYTES_PER_SECOND;
  if (found.kind === 'foreign') {
    const { name, createdAt, size, encoding } = found.foreign;
    return {
      backup: name,
      source: 'foreign',
      createdAt: createdAt.toISOString(),
      position: null,
      continuesLineage: false,
      objects: 1,
      bytesToFetch: size,
      databaseBytes: encoding === 'plain' ? size : null,
      bytesNeeded: size + MARGIN,
      bytesFree: facts.bytesFree,
      estimatedSeconds: Math.ceil(size / speed),
      point: null,
    };
  }
  const { manifest, point } = found;
  const wal = manifest.wal;
  const logBytes = (point?.records ?? []).reduce((sum, record) => sum + storedBytesOf(record), 0);
  const walBytes = Math.max(wal?.length ?? 0, point?.position.offset ?? 0);
  return {
    backup: manifest.name,
    source: 'eider',
    createdAt: manifest.createdAt,
    position: point?.position ?? manifest.position,
    continuesLineage: point?.isLatest ?? (!manifest.fork && manifest.name === facts.newest),
    objects:
      1 + manifest.extents.length + manifest.packs.length + (wal === null ? 0 : 1) + (point?.records.length ?? 0),
    bytesToFetch: manifest.bytes.stored + logBytes,
    databaseBytes: manifest.database.size,
    bytesNeeded: roomToRestore(manifest.database.size, walBytes),
    bytesFree: facts.bytesFree,
    estimatedSeconds: Math.ceil(manifest.database.size / speed),
    point: point === undefined ? null : plannedPoint(point),
  };
}

function plannedPoint({ position, time, nextTime, records }: RestorePoint): PlannedPoint {
  return {
    position,
    committedAt: isoOf(time),
    nextCommitAt: isoOf(nextTime),
    records: records.length,
    commits: records.reduce((sum, { commits }) => sum + commits, 0),
  };
}

function isoOf(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}

function storedBytesOf({ wal, blocks }: WalRecordHead): number {
  return blocks.reduce((sum, { stored }) => sum + stored, wal.stored);
}
