import type { FoundBackup } from '../repository/repository.js';
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
    };
  }
  const { manifest } = found;
  const wal = manifest.wal;
  return {
    backup: manifest.name,
    source: 'eider',
    createdAt: manifest.createdAt,
    position: manifest.position,
    continuesLineage: !manifest.fork && manifest.name === facts.newest,
    objects: 1 + manifest.extents.length + manifest.packs.length + (wal === null ? 0 : 1),
    bytesToFetch: manifest.bytes.stored,
    databaseBytes: manifest.database.size,
    bytesNeeded: roomToRestore(manifest.database.size, wal?.length ?? 0),
    bytesFree: facts.bytesFree,
    estimatedSeconds: Math.ceil(manifest.database.size / speed),
  };
}
