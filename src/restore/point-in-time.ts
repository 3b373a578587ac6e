import { comparePositions, type FilePosition } from '../duckdb-format/file-position.js';
import { EiderError } from '../errors/eider-error.js';
import type { LogHead, WalRecordHead } from '../repository/log-record.js';
import type { Manifest } from '../repository/manifest.js';
import type { Position } from '../repository/position.js';

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
}

/** A commit of the log, told by its mark. */
interface Mark {
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
): RestorePoint {
  const bases = manifests.filter((manifest) => sameIteration(manifest.position, position));
  const base = bases.find((manifest) => manifest.position.offset <= position.offset) ?? bases.at(-1);
  if (base === undefined) {
    throw unreachable(`no backup of iteration ${position.iteration} of lineage ${position.lineage} is left`);
  }
  const records: WalRecordHead[] = [];
  let covered = base.position.offset;
  for (const head of heads) {
    if (head.kind !== 'wal' || head.lineage !== position.lineage || head.iteration !== position.iteration) continue;
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
  return { base, records, position, time };
}

function sameIteration(a: Position, b: Position): boolean {
  return a.lineage === b.lineage && a.iteration === b.iteration;
}

/** Negative where `a` comes first. Positions of different lineages have no order. */
export function isBefore(a: FilePosition, b: FilePosition): boolean {
  return comparePositions(a, b) < 0;
}

function unreachable(why: string): EiderError {
  return new EiderError('RESTORE_POINT_UNREACHABLE', `This point cannot be restored: ${why}.`);
}
