import { comparePositions } from '../duckdb-format/file-position.js';
import { EiderError } from '../errors/eider-error.js';
import type { LogHead, WalRecordHead } from './log-record.js';
import type { Manifest } from './manifest.js';
import type { Position } from './position.js';

/** The point that a user means. */
export type PointTarget = { readonly latest: true } | { readonly at: Date } | { readonly position: Position };

/** A point that can be restored, and what it takes. */
export interface RestorePoint {
  readonly base: Manifest;
  /** Records of commits behind the base, in order; the last one may go beyond the point. */
  readonly records: readonly WalRecordHead[];
  /** Just after a commit, or that of the base. */
  readonly position: Position;
  /** When the commit was first seen, ms since 1970; null where the point is the base's own. */
  readonly time: number | null;
  /** When the commit after it was first seen, as far as the records read tell. */
  readonly nextTime: number | null;
  /** Whether the store holds nothing newer of the main history. */
  readonly isLatest: boolean;
  /** What follows the heads of records, where it was read and is small: by number. */
  readonly payloads: ReadonlyMap<number, Buffer>;
}

/** A point without what was read of its records. */
export type PlannedRestore = Omit<RestorePoint, 'payloads'>;

/** A commit of the log, told by its mark. */
export interface Mark {
  readonly record: WalRecordHead;
  readonly offset: number;
  readonly time: number;
}

/**
 * The commit that a target means: the last one whose mark is not behind it. Undefined where there is none in these records.
 *
 * @param heads - records in order
 */
export function findMark(heads: Iterable<LogHead>, target: PointTarget): Mark | undefined {
  let found: Mark | undefined;
  for (const head of heads) {
    if (head.kind !== 'wal') continue;
    for (const [offset, time] of head.marks) {
      if (isReached(head, offset, time, target)) found = { record: head, offset, time };
    }
  }
  return found;
}

function isReached(head: WalRecordHead, offset: number, time: number, target: PointTarget): boolean {
  if ('latest' in target) return true;
  if ('at' in target) return time <= target.at.getTime();
  const { position } = target;
  return head.lineage === position.lineage && comparePositions({ iteration: head.iteration, offset }, position) <= 0;
}

/**
 * What restoring a point takes: a backup of its iteration, and the records from there on. Within one iteration any backup
 * will do, even a later one: its log is cut back. Pure.
 *
 * @param manifests - backups of the main history, newest first
 * @param heads - records in order, from the one behind the base or earlier, to the one of the point
 * @throws EiderError RESTORE_POINT_UNREACHABLE
 */
export function planPoint(
  manifests: readonly Manifest[],
  heads: readonly LogHead[],
  position: Position,
  time: number | null,
  isLatest: boolean,
): PlannedRestore {
  const nextTime = timeAfter(heads, position);
  const chain = heads.filter((head) => head.kind === 'wal' && sameIteration({ ...head, offset: 0 }, position));
  const last = chain.findLast((head): head is WalRecordHead => head.kind === 'wal');
  const bases = manifests.filter((manifest) => isBase(manifest, position, last, chain));
  const base = bases.find((manifest) => manifest.position.offset <= position.offset) ?? bases.at(-1);
  if (base === undefined) {
    throw unreachable(`no backup of iteration ${position.iteration} of lineage ${position.lineage} is left`);
  }
  const records: WalRecordHead[] = [];
  let covered = base.position.offset;
  for (const head of heads) {
    if (head.kind !== 'wal' || head.base !== last?.base || !sameIteration({ ...head, offset: 0 }, position)) continue;
    if (head.from >= position.offset || head.to <= covered) continue;
    if (head.from > covered) {
      throw unreachable(
        `the log has a gap between byte ${covered} and record ${head.number}, which begins at ${head.from}`,
      );
    }
    records.push(head);
    covered = head.to;
  }
  if (covered < position.offset) {
    throw unreachable(`the log ends at byte ${covered} of iteration ${position.iteration}, before ${position.offset}`);
  }
  return { base, records, position, time, nextTime, isLatest };
}

/**
 * Whether the records rest on a backup: it is the one that they name, or a later one of the same turn. A process that was
 * replaced can have left another backup of what it, too, called this iteration.
 */
function isBase(
  { name, position, epoch }: Manifest,
  point: Position,
  last: WalRecordHead | undefined,
  chain: readonly LogHead[],
): boolean {
  if (!sameIteration(position, point)) return false;
  if (last === undefined || name === last.base) return true;
  return chain.some((head) => head.kind === 'wal' && head.base === last.base && head.epoch === epoch);
}

function sameIteration(a: Position, b: Position): boolean {
  return a.lineage === b.lineage && a.iteration === b.iteration;
}

/** When the first commit behind a position was seen. */
function timeAfter(heads: readonly LogHead[], position: Position): number | null {
  let isThere = false;
  for (const head of heads) {
    if (head.kind !== 'wal') continue;
    for (const [offset, time] of head.marks) {
      const isSame = sameIteration({ ...head, offset }, position);
      if (isThere && !(isSame && offset <= position.offset)) return time;
      isThere ||= isSame;
    }
  }
  return null;
}

function unreachable(why: string): EiderError {
  return new EiderError('RESTORE_POINT_UNREACHABLE', `This point cannot be restored: ${why}.`);
}

/** Bytes of the payloads of records, as stored. */
export function storedBytesOf(records: readonly WalRecordHead[]): number {
  let bytes = 0;
  for (const { wal, blocks } of records) bytes += blocks.reduce((sum, { stored }) => sum + stored, wal.stored);
  return bytes;
}
