import { EiderError, isEiderError } from '../errors/eider-error.js';
import { contains, gapAt, type Mark, markAt, marksBehind, positionOf } from './commit-marks.js';
import type { LogHead, LogRecord } from './log-record.js';
import { mainHistory } from './main-history.js';
import type { Manifest } from './manifest.js';
import {
  isSameIteration,
  type PlannedRestore,
  planPoint,
  type PointTarget,
  type RestorePoint,
  unreachable,
} from './point-in-time.js';
import type { Position } from './position.js';
import type { Repository } from './repository.js';

/** Bytes of payloads that are kept in memory. */
const MOST_KEPT = 64 * 1024 * 1024;

/** Finds points in the history that a repository holds. */
export class PointFinder {
  constructor(private readonly repository: Repository) {}

  /**
   * The point that a user means: the last commit not behind it.
   *
   * @throws EiderError BACKUP_NOT_FOUND, RESTORE_POINT_UNREACHABLE, LOG_RECORD_*, STORE_*
   */
  async find(target: PointTarget, signal?: AbortSignal): Promise<RestorePoint> {
    const manifests = await mainHistory(this.repository);
    if (manifests.length === 0) throw new EiderError('BACKUP_NOT_FOUND', 'The repository holds no backup.');
    const start = startOf(manifests, target);
    const payloads = new KeptPayloads();
    const heads = await this.#heads(start, target, payloads, signal);
    const { records, ...plan } = await this.#plan(manifests, start, heads, target, payloads, signal);
    return { ...plan, records, payloads: payloads.of(records) };
  }

  async #plan(
    manifests: readonly Manifest[],
    start: Manifest,
    heads: readonly LogHead[],
    target: PointTarget,
    payloads: KeptPayloads,
    signal: AbortSignal | undefined,
  ): Promise<PlannedRestore> {
    const planned = async (mark: Mark): Promise<PlannedRestore> => {
      const before = await this.#headsBefore(manifests, start, mark, payloads, signal);
      return planPoint(manifests, [...before, ...heads], mark, 'latest' in target);
    };
    if ('position' in target) {
      const mark = markAt(heads, target.position);
      if (mark === 'taken-back') throw unreachable('DuckDB took this commit back, which was never acknowledged');
      return mark === undefined ? withoutRecords(manifests, target.position) : planned(mark);
    }
    const at = 'at' in target ? target.at.getTime() : Infinity;
    if (Number.isFinite(at) && Date.parse(start.createdAt) > at) {
      const asked = new Date(at).toISOString();
      throw new EiderError(
        'RESTORE_POINT_UNREACHABLE',
        `Nothing is known of ${asked}: the oldest backup is of ${start.createdAt}.`,
      );
    }
    const mark = marksBehind(heads, start.position).findLast(({ time }) => time <= at);
    // What is known to be the state of that very moment is no gap.
    const isKnown = at <= Math.max(mark?.time ?? 0, Date.parse(start.createdAt));
    const gap = isKnown ? undefined : gapAt(heads, start, at);
    if (gap !== undefined) throw unreachable(`it lies in a gap, in which commits are in no record (${gap})`);
    if (mark === undefined) return ownPoint(start, 'latest' in target);
    return planned(mark);
  }

  /** The records from the one behind the base on: a later backup of the same iteration may have been found first. */
  async #headsBefore(
    manifests: readonly Manifest[],
    start: Manifest,
    mark: Mark,
    payloads: KeptPayloads,
    signal: AbortSignal | undefined,
  ): Promise<LogHead[]> {
    const base =
      manifests.find(({ name }) => name === mark.record.base) ??
      manifests.findLast((manifest) => isSameIteration(manifest.position, positionOf(mark)));
    if (base === undefined || base.log >= start.log) return [];
    const options = signal === undefined ? {} : { signal };
    const heads: LogHead[] = [];
    for await (const record of this.repository.log.records(base.log + 1, start.log, options)) {
      heads.push(record.head);
      payloads.keep(record);
    }
    return heads;
  }

  /** Throws RESTORE_POINT_UNREACHABLE where retention has removed the records, as it does with the oldest. */
  async #refuseOlder({ name }: Manifest, missing: EiderError, signal: AbortSignal | undefined): Promise<void> {
    const oldest = await this.repository.log.first(signal === undefined ? {} : { signal });
    if (oldest === undefined || Number(missing.details['record']) >= oldest) return;
    throw unreachable(`single commits are kept for PITR_WINDOW_HOURS, and this one is older; ${name} can be restored`);
  }

  /** Records behind a backup, up to the one that settles what the target is. */
  async #heads(
    start: Manifest,
    target: PointTarget,
    payloads: KeptPayloads,
    signal: AbortSignal | undefined,
  ): Promise<LogHead[]> {
    const options = signal === undefined ? {} : { signal };
    const last = await this.repository.log.last(start.log, options);
    const heads: LogHead[] = [];
    let isFound = false;
    try {
      for await (const record of this.repository.log.records(start.log + 1, last, options)) {
        const { head } = record;
        heads.push(head);
        payloads.keep(record);
        if (head.kind !== 'wal') continue;
        // One more after the point: a backup in between may tell that its commit was taken back.
        if (isFound || isBehind(head, target)) break;
        isFound ||= 'position' in target && contains(head, target.position);
      }
    } catch (error) {
      // A point before a damaged record needs nothing of it.
      const isDamage = isEiderError(error, 'LOG_RECORD_CORRUPT') || isEiderError(error, 'LOG_RECORD_MISSING');
      if (isFound && isDamage) return heads;
      if (isEiderError(error, 'LOG_RECORD_MISSING')) await this.#refuseOlder(start, error, signal);
      throw error;
    }
    return heads;
  }
}

/** Payloads that were read with their heads, so that a restore need not read them again: as long as they are few. */
class KeptPayloads {
  readonly #payloads = new Map<number, Buffer>();
  #bytes = 0;

  keep({ head, payload }: LogRecord): void {
    if (head.kind !== 'wal' || head.payload !== null || this.#bytes + payload.length > MOST_KEPT) return;
    this.#bytes += payload.length;
    this.#payloads.set(head.number, payload);
  }

  of(records: readonly LogHead[]): ReadonlyMap<number, Buffer> {
    const wanted = new Set(records.map(({ number }) => number));
    return new Map([...this.#payloads].filter(([number]) => wanted.has(number)));
  }
}

/** A backup's own point: no commit of the log is meant. */
function ownPoint(base: Manifest, isLatest: boolean): PlannedRestore {
  return { base, records: [], position: base.position, time: null, nextTime: null, isLatest };
}

/** No record holds the commit: then a backup may, in the log that it brings along. */
function withoutRecords(manifests: readonly Manifest[], position: Position): PlannedRestore {
  const base = manifests.findLast(
    (manifest) => isSameIteration(manifest.position, position) && manifest.position.offset >= position.offset,
  );
  if (base === undefined) throw unreachable('no record of the log reaches it');
  return { ...ownPoint(base, false), position };
}

/** The newest backup that is not behind the target; the oldest where all are. */
function startOf(manifests: readonly Manifest[], target: PointTarget): Manifest {
  const found = manifests.find((manifest) => {
    if ('latest' in target) return true;
    if ('at' in target) return Date.parse(manifest.createdAt) <= target.at.getTime();
    const { position } = target;
    const { lineage, iteration, offset } = manifest.position;
    if (lineage !== position.lineage) return false;
    return iteration < position.iteration || (iteration === position.iteration && offset <= position.offset);
  });
  const oldest = manifests.at(-1);
  if (oldest === undefined) throw new EiderError('BACKUP_NOT_FOUND', 'The repository holds no backup.');
  return found ?? oldest;
}

/** Whether a record reaches beyond the target: what the target means is settled then. */
function isBehind({ marks, lineage, iteration }: Extract<LogHead, { kind: 'wal' }>, target: PointTarget): boolean {
  if ('latest' in target) return false;
  if ('at' in target) return (marks.at(-1)?.[1] ?? 0) > target.at.getTime();
  return lineage === target.position.lineage && iteration > target.position.iteration;
}
