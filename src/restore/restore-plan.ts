import type { ForeignBackup } from '../repository/listing.js';
import type { Manifest } from '../repository/manifest.js';
import type { FoundBackup } from '../repository/repository.js';
import { type RestorePoint, storedBytesOf } from '../repository/point-in-time.js';
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
  /** Objects to read, and the bytes to read from them. */
  readonly objects: number;
  readonly bytesToFetch: number;
  /** Bytes of the restored database file; null where only fetching tells. */
  readonly databaseBytes: number | null;
  /** Blocks that it has, its headers counted as one; null where the backup does not tell. */
  readonly blocks: number | null;
  /** Blocks that are on the disk already and are not fetched, and the bytes of the file that they make up. */
  readonly localBlocks: number;
  readonly localBytes: number;
  /** Bytes that must be free on the database's disk, and that are. */
  readonly bytesNeeded: number;
  readonly bytesFree: number;
  /** Fetching at the speed of the last restore of this process, else at 50 MB/s; and reading what is local. */
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

/** What a plan is made from, beside the backup. */
export interface PlanFacts {
  readonly newest: string | undefined;
  readonly bytesFree: number;
  /** Bytes of the database that were fetched in a second. */
  readonly bytesPerSecond?: number | undefined;
  /** Bytes on the disk that an interrupted restore has written: the next one goes on in its file. */
  readonly occupied?: number | undefined;
  /** What the files on the disk hold of the backup; undefined where nobody has looked. */
  readonly local?: LocalFindings | undefined;
}

/** What the files on the disk hold of a backup. */
export interface LocalFindings {
  readonly blocks: number;
  readonly bytes: number;
  /** Bytes that are then to be read from the store, and from how many packs. */
  readonly bytesToFetch: number;
  readonly packs: number;
}

/** Room for what the check and the checkpoint write beside the data, bytes. */
const MARGIN = 64 * 1024 * 1024;
const ASSUMED_BYTES_PER_SECOND = 50_000_000;
/** What is local is read, hashed and mostly written again. */
const LOCAL_BYTES_PER_SECOND = 400_000_000;

/** Bytes that must be free for a second copy of a database: folding its log writes the log's content once more. */
export function roomToRestore(databaseBytes: number, walBytes: number): number {
  return databaseBytes + 2 * walBytes + MARGIN;
}

/** Works out a plan. Pure. */
export function planRestore(found: FoundBackup, facts: PlanFacts): RestorePlan {
  return found.kind === 'foreign'
    ? planOfForeign(found.foreign, facts)
    : planOfManifest(found.manifest, found.point, facts);
}

function planOfForeign({ name, createdAt, size, encoding }: ForeignBackup, facts: PlanFacts): RestorePlan {
  return {
    backup: name,
    source: 'foreign',
    createdAt: createdAt.toISOString(),
    position: null,
    continuesLineage: false,
    objects: 1,
    bytesToFetch: size,
    databaseBytes: encoding === 'plain' ? size : null,
    blocks: null,
    localBlocks: 0,
    localBytes: 0,
    bytesNeeded: size + MARGIN,
    bytesFree: facts.bytesFree,
    estimatedSeconds: Math.ceil(size / (facts.bytesPerSecond ?? ASSUMED_BYTES_PER_SECOND)),
    point: null,
  };
}

function planOfManifest(manifest: Manifest, point: RestorePoint | undefined, facts: PlanFacts): RestorePlan {
  const { wal, database } = manifest;
  const { local, occupied = 0, bytesPerSecond = ASSUMED_BYTES_PER_SECOND } = facts;
  const localBytes = local?.bytes ?? 0;
  const seconds = (database.size - localBytes) / bytesPerSecond + localBytes / LOCAL_BYTES_PER_SECOND;
  const records = point?.records ?? [];
  const walBytes = Math.max(wal?.length ?? 0, point?.position.offset ?? 0);
  const packs = local?.packs ?? manifest.packs.length;
  return {
    backup: manifest.name,
    source: 'eider',
    createdAt: manifest.createdAt,
    position: point?.position ?? manifest.position,
    continuesLineage: point?.isLatest ?? (!manifest.fork && manifest.name === facts.newest),
    objects: 1 + manifest.extents.length + packs + (wal === null ? 0 : 1) + records.length,
    bytesToFetch: (local?.bytesToFetch ?? manifest.bytes.stored) + storedBytesOf(records),
    databaseBytes: database.size,
    blocks: database.blocks + 1,
    localBlocks: local?.blocks ?? 0,
    localBytes,
    bytesNeeded: roomToRestore(database.size, walBytes) - Math.min(occupied, database.size),
    bytesFree: facts.bytesFree,
    estimatedSeconds: Math.ceil(seconds),
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
