import { EiderError, isEiderError } from '../errors/eider-error.js';
import type { LogHead, LogRecord } from './log-record.js';
import type { Manifest } from './manifest.js';
import type { Position } from './position.js';
import type { Repository } from './repository.js';
import { findMark, type Mark, planPoint, type PointTarget, type RestorePoint } from './point-in-time.js';

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
    const manifests = await this.#manifests();
    const start = startOf(manifests, target);
    const payloads = new KeptPayloads();
    const heads = await this.#heads(start, target, payloads, signal);
    const mark = findMark(heads, target);
    // Commits that were shipped together after a crash have one mark, and each can be restored by its position all the same.
    if ('position' in target) {
      const plan = planPoint(manifests, heads, target.position, timeOf(mark, target.position), false);
      return { ...plan, payloads: payloads.of(plan.records) };
    }
    if (mark === undefined) return this.#ownPoint(start, target);
    const { record, offset } = mark;
    const position: Position = { lineage: record.lineage, iteration: record.iteration, offset };
    // A point can be a backup's own, later than every mark before it.
    const own = startOf(manifests, { position });
    const before = own.log < start.log ? await this.#range(own.log + 1, start.log, payloads, signal) : [];
    const plan = planPoint(manifests, [...before, ...heads], position, mark.time, 'latest' in target);
    return { ...plan, payloads: payloads.of(plan.records) };
  }

  /** Backups of the main history, newest first. */
  async #manifests(): Promise<readonly Manifest[]> {
    const { backups } = await this.repository.list();
    const manifests: Manifest[] = [];
    for (const { name } of backups) {
      try {
        const manifest = await this.repository.manifest(name);
        if (!manifest.fork) manifests.push(manifest);
      } catch (error) {
        // Others may do; one that is needed is missed later.
        if (!isEiderError(error, 'MANIFEST_CORRUPT')) throw error;
      }
    }
    if (manifests.length === 0) throw new EiderError('BACKUP_NOT_FOUND', 'The repository holds no backup.');
    return manifests;
  }

  /** Records behind a backup, up to the first that is wholly behind the target. */
  async #heads(
    start: Manifest,
    target: PointTarget,
    payloads: KeptPayloads,
    signal: AbortSignal | undefined,
  ): Promise<LogHead[]> {
    const options = signal === undefined ? {} : { signal };
    const last = await this.repository.log.last(start.log, options);
    const heads: LogHead[] = [];
    for await (const record of this.repository.log.records(start.log + 1, last, options)) {
      const { head } = record;
      heads.push(head);
      payloads.keep(record);
      if (head.kind === 'wal' && isBehind(head, target)) break;
    }
    return heads;
  }

  async #range(
    first: number,
    last: number,
    payloads: KeptPayloads,
    signal: AbortSignal | undefined,
  ): Promise<LogHead[]> {
    const heads: LogHead[] = [];
    for await (const record of this.repository.log.records(first, last, signal === undefined ? {} : { signal })) {
      heads.push(record.head);
      payloads.keep(record);
    }
    return heads;
  }

  /** No commit of the log is meant: then it is the backup itself. */
  #ownPoint(start: Manifest, target: PointTarget): RestorePoint {
    if ('at' in target && Date.parse(start.createdAt) > target.at.getTime()) {
      throw new EiderError(
        'RESTORE_POINT_UNREACHABLE',
        `Nothing is known of ${target.at.toISOString()}: the oldest backup is of ${start.createdAt}.`,
      );
    }
    return {
      base: start,
      records: [],
      position: start.position,
      time: null,
      nextTime: null,
      isLatest: 'latest' in target,
      payloads: new Map(),
    };
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

/** When the last commit before a position was seen; null where that is the backup's own. */
function timeOf(mark: Mark | undefined, { lineage, iteration }: Position): number | null {
  if (mark?.record.lineage !== lineage || mark.record.iteration !== iteration) return null;
  return mark.time;
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

function isBehind({ marks, lineage, iteration }: Extract<LogHead, { kind: 'wal' }>, target: PointTarget): boolean {
  const first = marks[0];
  if (first === undefined || 'latest' in target) return false;
  if ('at' in target) return first[1] > target.at.getTime();
  return lineage === target.position.lineage && iteration > target.position.iteration;
}
