import { isProven, type Verdict } from '../repository/note.js';
import type { Manifest } from '../repository/manifest.js';
import { parseBackupName } from '../repository/backup-name.js';

/** What retention knows of one backup. */
export interface RetentionCandidate {
  readonly manifest: Manifest;
  /** As it is now: set when it was taken, or later by a note. */
  readonly pinned: boolean;
  readonly label: string | null;
  /** What its last check showed; null before the first. */
  readonly verified?: Verdict | null;
  /** True when the listing lacks an object that restoring it reads, or shows another size. */
  readonly incomplete?: boolean;
  /** A backup under way builds on it. */
  readonly inUse?: boolean;
  /** Somebody reads it. */
  readonly held?: boolean;
  /** Commits rest on it that can be restored one by one. */
  readonly isLogBase?: boolean;
}

export interface RetentionRules {
  /** Backups older than this are removed; undefined keeps all. */
  readonly keepMs: number | undefined;
  /** Of older ones only the newest of each day is kept, ms. */
  readonly keepAllMs: number;
}

/** Why a backup stays or goes. */
export type RetentionReason =
  | 'newest'
  | 'in-use'
  | 'held'
  | 'proven'
  | 'pinned'
  | 'labelled'
  | 'retention-off'
  | 'young'
  | 'point-in-time'
  | 'daily'
  | 'thinned'
  | 'expired';

export interface RetentionDecision {
  readonly name: string;
  readonly keep: boolean;
  readonly reason: RetentionReason;
}

/**
 * Decides which backups go. Pure: a failed or partial listing must never come here.
 *
 * Never removed: the newest backup of the main history, the newest of all, the newest of each that may be restored as far
 * as is known, and that was proven by a restore; pinned and labelled ones; those that a backup under way builds on, that
 * somebody reads, or that commits rest on.
 *
 * @param candidates - newest first
 */
export function decideBackups(
  candidates: readonly RetentionCandidate[],
  rules: RetentionRules,
  now: Date,
): RetentionDecision[] {
  const lines = [candidates, candidates.filter(({ manifest }) => !manifest.fork)];
  const newest = new Set(lines.flatMap((line) => [line[0], line.find(isGood)]));
  const proven = new Set(lines.map((line) => line.find((one) => isGood(one) && isProven(one.verified ?? null))));
  const daily = newestOfEachDay(candidates, now);
  return candidates.map((candidate) => {
    const { name } = candidate.manifest;
    const kept = (reason: RetentionReason): RetentionDecision => ({ name, keep: true, reason });
    if (newest.has(candidate)) return kept('newest');
    if (candidate.inUse === true) return kept('in-use');
    if (candidate.held === true) return kept('held');
    if (proven.has(candidate)) return kept('proven');
    if (candidate.pinned) return kept('pinned');
    if (candidate.label !== null) return kept('labelled');
    if (rules.keepMs === undefined) return kept('retention-off');
    if (candidate.isLogBase === true) return kept('point-in-time');
    const age = now.getTime() - timeOf(candidate.manifest, now);
    if (age > rules.keepMs) return { name, keep: false, reason: 'expired' };
    if (age <= rules.keepAllMs) return kept('young');
    return daily.has(candidate) ? kept('daily') : { name, keep: false, reason: 'thinned' };
  });
}

/** Whether a backup can be restored, as far as the listing and its last check tell. */
function isGood({ incomplete, verified }: RetentionCandidate): boolean {
  return incomplete !== true && verified?.ok !== false;
}

/** The newest good backup of each day (UTC), or just the newest; forks for themselves. */
function newestOfEachDay(candidates: readonly RetentionCandidate[], now: Date): ReadonlySet<RetentionCandidate> {
  const days = new Map<string, RetentionCandidate>();
  for (const candidate of candidates) {
    const { manifest } = candidate;
    const day = `${new Date(timeOf(manifest, now)).toISOString().slice(0, 10)} ${String(manifest.fork)}`;
    const found = days.get(day);
    if (found === undefined || (!isGood(found) && isGood(candidate))) days.set(day, candidate);
  }
  return new Set(days.values());
}

/**
 * When a backup was taken, as far as wrong clocks allow to tell. A name can be of the future, since names only ever go
 * forward; the clock in the manifest can have stood in the past. The later one that is not of the future counts.
 */
function timeOf(manifest: Manifest, now: Date): number {
  const created = Date.parse(manifest.createdAt);
  const named = parseBackupName(manifest.name)?.time.getTime() ?? created;
  return named <= now.getTime() ? Math.max(named, created) : created;
}
