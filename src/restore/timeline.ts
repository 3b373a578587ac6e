import type { Manifest } from '../repository/manifest.js';
import type { Position } from '../repository/position.js';

/** What the log tells of one iteration: of its first backup, and of the last commit that rests on it. */
export interface IterationFacts {
  /** The first backup of the iteration. */
  readonly base: Manifest;
  /** All backups of the iteration, the oldest first. */
  readonly backups: readonly string[];
  /** When its last shipped commit was first seen, ms since 1970; null where no record of it is there. */
  readonly lastCommitAt: number | null;
  /** Why commits before the base may be in no record; null where every one is. */
  readonly gap: string | null;
}

/** A span of time of which every moment can be restored. */
export interface TimelineRange {
  readonly from: string;
  readonly to: string;
  /** The backup that it rests on. */
  readonly base: string;
  readonly iteration: number;
  /** Whether every commit in it can be restored; else the backup alone. */
  readonly everyCommit: boolean;
}

/** A span of which only the beginning and the end can be restored. */
export interface TimelineGap {
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

/** One uninterrupted history. */
export interface TimelineLineage {
  readonly lineage: string;
  /** Where it left the one before; null for the first. */
  readonly parent: Position | null;
  readonly ranges: readonly TimelineRange[];
  readonly gaps: readonly TimelineGap[];
  /** Names, the oldest first. */
  readonly backups: readonly string[];
}

/** What can be restored. */
export interface Timeline {
  /** How far apart two commits are whose times can be told from one another, ms. */
  readonly resolutionMs: number;
  /** The oldest first. */
  readonly lineages: readonly TimelineLineage[];
}

/** How often the log is looked at by the writer, ms. */
const RESOLUTION_MS = 50;

/** Lays out what can be restored. Pure. @param iterations - of all lineages, the oldest first */
export function layOutTimeline(iterations: readonly IterationFacts[]): Timeline {
  const lineages = new Map<string, IterationFacts[]>();
  for (const facts of iterations) {
    const { lineage } = facts.base.position;
    lineages.set(lineage, [...(lineages.get(lineage) ?? []), facts]);
  }
  return { resolutionMs: RESOLUTION_MS, lineages: [...lineages.values()].map(lineageOf) };
}

function lineageOf(iterations: readonly IterationFacts[]): TimelineLineage {
  const ranges = iterations.map(rangeOf);
  const gaps = iterations.flatMap(({ gap }, index): TimelineGap[] => {
    const before = ranges[index - 1];
    const after = ranges[index];
    if (gap === null || before === undefined || after === undefined) return [];
    return [{ from: before.to, to: after.from, reason: gap }];
  });
  const first = iterations[0]?.base;
  return {
    lineage: first?.position.lineage ?? '',
    parent: first?.lineageParent ?? null,
    ranges,
    gaps,
    backups: iterations.flatMap(({ backups }) => backups),
  };
}

function rangeOf({ base, lastCommitAt }: IterationFacts): TimelineRange {
  // The image is of when copying began.
  const from = Date.parse(base.createdAt) - base.durations.captureMs;
  const to = Math.max(from, lastCommitAt ?? from);
  return {
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    base: base.name,
    iteration: base.position.iteration,
    everyCommit: lastCommitAt !== null,
  };
}
