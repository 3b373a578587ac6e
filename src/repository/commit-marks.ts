import { comparePositions } from '../duckdb-format/file-position.js';
import type { LogHead, WalRecordHead } from './log-record.js';
import type { Position } from './position.js';

/** A commit that the log tells of. */
export interface Mark {
  readonly record: WalRecordHead;
  readonly offset: number;
  /** When it was first seen, ms since 1970. */
  readonly time: number;
}

export function positionOf({ record, offset }: Mark): Position {
  return { lineage: record.lineage, iteration: record.iteration, offset };
}

/**
 * The commits that records tell of, in order, as far as they follow a backup and were not taken back. Pure.
 *
 * @param heads - records in order
 * @param start - a record of another lineage or of an earlier commit can be settled only after this backup was taken
 */
export function marksBehind(heads: readonly LogHead[], start: Position): Mark[] {
  const marks: Mark[] = [];
  for (const [index, record] of heads.entries()) {
    if (record.kind !== 'wal' || record.lineage !== start.lineage) continue;
    const sure = sureUpTo(heads.slice(index + 1), record);
    for (const [seen, time] of record.marks) {
      const mark = { record, offset: Math.min(seen, sure), time };
      if (mark.offset > record.from && comparePositions(positionOf(mark), start) > 0) marks.push(mark);
    }
  }
  return marks;
}

/**
 * The record that holds a commit, and when that was seen. Undefined where none does. Pure.
 *
 * @param heads - records in order
 */
export function markAt(heads: readonly LogHead[], position: Position): Mark | 'taken-back' | undefined {
  let found: Mark | 'taken-back' | undefined;
  for (const [index, record] of heads.entries()) {
    if (record.kind !== 'wal' || !contains(record, position)) continue;
    const [, time] = record.marks.find(([offset]) => offset >= position.offset) ?? record.marks[0] ?? [0, 0];
    const isSure = position.offset <= sureUpTo(heads.slice(index + 1), record);
    if (isSure || found === undefined) found = isSure ? { record, offset: position.offset, time } : 'taken-back';
  }
  return found;
}

export function contains({ lineage, iteration, from, to }: WalRecordHead, position: Position): boolean {
  return (
    lineage === position.lineage && iteration === position.iteration && from < position.offset && position.offset <= to
  );
}

/** Why commits at a time may be in no record; undefined where the records tell of every one. Pure. */
export function gapAt(heads: readonly LogHead[], start: { readonly name: string }, at: number): string | undefined {
  for (const head of heads) {
    if (head.kind === 'wal' && head.marks.some(([, time]) => time > at)) return undefined;
    // Up to a stop in good order everything was shipped.
    if (head.kind === 'close' && Date.parse(head.at) >= at) return undefined;
    if (head.kind !== 'backup' || head.backup === start.name || head.gap === null) continue;
    if (Date.parse(head.at) > at) return head.gap;
  }
  return undefined;
}

/** Up to where the commits of a record stand, as the records after it tell. */
function sureUpTo(after: readonly LogHead[], { lineage, iteration }: WalRecordHead): number {
  for (const head of after) {
    if (head.kind !== 'backup' || head.takenBack === null) continue;
    const { takenBack } = head;
    if (takenBack.lineage === lineage && takenBack.iteration === iteration) return takenBack.offset;
  }
  return Infinity;
}
