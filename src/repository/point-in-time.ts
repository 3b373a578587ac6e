import { EiderError } from '../errors/eider-error.js';
import { positionOf, type Mark } from './commit-marks.js';
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

/**
 * What restoring a commit takes: the backup that its record rests on, and the records from there on. Where that backup is
 * gone, a later one of the same iteration will do: its log is cut back. Pure.
 *
 * @param manifests - backups of the main history, newest first
 * @param heads - records in order, from the one behind the base or earlier, to the one of the commit
 * @throws EiderError RESTORE_POINT_UNREACHABLE
 */
export function planPoint(
  manifests: readonly Manifest[],
  heads: readonly LogHead[],
  mark: Mark,
  isLatest: boolean,
): PlannedRestore {
  const position = positionOf(mark);
  const chain = heads.filter((head): head is WalRecordHead => head.kind === 'wal' && isSameChain(head, mark.record));
  const base = baseOf(manifests, position, chain, mark.record);
  if (base === undefined) {
    throw unreachable(`no backup of iteration ${position.iteration} of lineage ${position.lineage} is left`);
  }
  const records: WalRecordHead[] = [];
  let covered = base.position.offset;
  for (const head of chain) {
    // One whose commits the base has, too, can hold blocks that the base does not have: those of commits under way.
    if (head.number <= base.log || head.from >= position.offset) continue;
    if (head.from > covered) {
      throw unreachable(
        `the log has a gap between byte ${covered} and record ${head.number}, which begins at ${head.from}`,
      );
    }
    records.push(head);
    covered = Math.max(covered, head.to);
  }
  if (covered < position.offset) {
    throw unreachable(`the log ends at byte ${covered} of iteration ${position.iteration}, before ${position.offset}`);
  }
  return { base, records, position, time: mark.time, nextTime: timeAfter(heads, position), isLatest };
}

/**
 * The backup that records rest on, else another one of the same iteration and the same turn: a process that was replaced can
 * have left a backup of what it, too, called this iteration.
 */
function baseOf(
  manifests: readonly Manifest[],
  position: Position,
  chain: readonly WalRecordHead[],
  record: WalRecordHead,
): Manifest | undefined {
  const own = manifests.find((other) => other.name === record.base && isSameIteration(other.position, position));
  if (own !== undefined) return own;
  const epochs = new Set(chain.map(({ epoch }) => epoch));
  const others = manifests.filter((other) => isSameIteration(other.position, position) && epochs.has(other.epoch));
  return others.find((other) => other.position.offset <= position.offset) ?? others.at(-1);
}

function isSameChain(a: WalRecordHead, b: WalRecordHead): boolean {
  return a.base === b.base && a.lineage === b.lineage && a.iteration === b.iteration;
}

export function isSameIteration(
  a: Pick<Position, 'lineage' | 'iteration'>,
  b: Pick<Position, 'lineage' | 'iteration'>,
): boolean {
  return a.lineage === b.lineage && a.iteration === b.iteration;
}

/** When the first commit behind a position was seen. */
function timeAfter(heads: readonly LogHead[], position: Position): number | null {
  let isThere = false;
  for (const head of heads) {
    if (head.kind !== 'wal') continue;
    for (const [offset, time] of head.marks) {
      const isSame = isSameIteration(head, position);
      if (isThere && !(isSame && offset <= position.offset)) return time;
      isThere ||= isSame;
    }
  }
  return null;
}

export function unreachable(why: string): EiderError {
  return new EiderError('RESTORE_POINT_UNREACHABLE', `This point cannot be restored: ${why}.`);
}

/** Bytes of the payloads of records, as stored. */
export function storedBytesOf(records: readonly WalRecordHead[]): number {
  let bytes = 0;
  for (const { wal, blocks } of records) bytes += blocks.reduce((sum, { stored }) => sum + stored, wal.stored);
  return bytes;
}
