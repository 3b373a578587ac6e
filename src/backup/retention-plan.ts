import { type Manifest, objectsOf } from '../repository/manifest.js';
import { parseBackupName } from '../repository/backup-name.js';

/** What retention knows of one backup. */
export interface RetentionCandidate {
  readonly manifest: Manifest;
  /** As it is now: set when it was taken, or later by a note. */
  readonly pinned: boolean;
  readonly label: string | null;
  /** True when the listing lacks an object that restoring it reads, or shows another size. */
  readonly incomplete?: boolean;
  /** A backup under way builds on it. */
  readonly inUse?: boolean;
}

/** An object below `extents/`, or a reservation below `pending/`. */
export interface DatedObject {
  readonly name: string;
  readonly modifiedAt: Date;
}

export interface RetentionRules {
  /** Backups older than this are removed; undefined keeps all. */
  readonly keepMs: number | undefined;
  /** Of older ones only the newest of each day is kept, ms. */
  readonly keepAllMs: number;
  /** Unfinished backups and unused tables younger than this may belong to a backup under way, ms. */
  readonly graceMs: number;
}

/** Why a backup stays or goes. */
export type RetentionReason =
  'newest' | 'in-use' | 'pinned' | 'labelled' | 'retention-off' | 'young' | 'daily' | 'thinned' | 'expired';

export interface RetentionDecision {
  readonly name: string;
  readonly keep: boolean;
  readonly reason: RetentionReason;
}

/** What a run would do, and why. */
export interface RetentionPlan {
  readonly backups: readonly RetentionDecision[];
  /** Names of backups that were never completed, or whose removal was cut off. */
  readonly remains: readonly string[];
  /** Keys below `extents/` that no backup needs. */
  readonly extents: readonly string[];
  /** Keys that the backups which stay need; none of them may be deleted, whatever its name. */
  readonly needed: ReadonlySet<string>;
}

/**
 * Decides what goes. Pure: a failed or partial listing must never come here.
 *
 * Never removed: the newest backup of the main history, the newest of all, the newest of each whose objects are all there,
 * pinned and labelled ones, those that a backup under way builds on, and whatever one that stays still needs.
 */
export function planRetention(
  candidates: readonly RetentionCandidate[],
  extents: readonly DatedObject[],
  pending: readonly DatedObject[],
  rules: RetentionRules,
  now: Date,
): RetentionPlan {
  const main = candidates.filter(({ manifest }) => !manifest.fork);
  const newest = new Set(
    [candidates, main].flatMap((line) => [line[0], line.find(({ incomplete }) => incomplete !== true)]),
  );
  const daily = newestOfEachDay(candidates, now);
  const decide = (candidate: RetentionCandidate): RetentionDecision => {
    const { name } = candidate.manifest;
    const kept = (reason: RetentionReason): RetentionDecision => ({ name, keep: true, reason });
    if (newest.has(candidate)) return kept('newest');
    if (candidate.inUse === true) return kept('in-use');
    if (candidate.pinned) return kept('pinned');
    if (candidate.label !== null) return kept('labelled');
    if (rules.keepMs === undefined) return kept('retention-off');
    const age = now.getTime() - timeOf(candidate.manifest, now);
    if (age > rules.keepMs) return { name, keep: false, reason: 'expired' };
    if (age <= rules.keepAllMs) return kept('young');
    return daily.has(candidate) ? kept('daily') : { name, keep: false, reason: 'thinned' };
  };
  const backups = candidates.map(decide);
  const kept = candidates.filter((_, index) => backups[index]?.keep === true).map(({ manifest }) => manifest);
  const needed = new Set(kept.flatMap(objectsOf));
  const listed = new Set(candidates.map(({ manifest }) => manifest.name));
  const isOld = ({ modifiedAt }: DatedObject): boolean => now.getTime() - modifiedAt.getTime() > rules.graceMs;
  return {
    backups,
    remains: pending.filter((object) => isOld(object) && !listed.has(object.name)).map(({ name }) => name),
    extents: extents.filter((object) => isOld(object) && !needed.has(object.name)).map(({ name }) => name),
    needed,
  };
}

/** The newest backup of each day (UTC) whose objects are all there, or just the newest; forks for themselves. */
function newestOfEachDay(candidates: readonly RetentionCandidate[], now: Date): ReadonlySet<RetentionCandidate> {
  const days = new Map<string, RetentionCandidate>();
  for (const candidate of candidates) {
    const { manifest, incomplete } = candidate;
    const day = `${new Date(timeOf(manifest, now)).toISOString().slice(0, 10)} ${String(manifest.fork)}`;
    const found = days.get(day);
    if (found === undefined || (found.incomplete === true && incomplete !== true)) days.set(day, candidate);
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
