import type { Manifest } from '../repository/manifest.js';

/** What of the log stays, and which backups its commits rest on. */
export interface LogWindow {
  /** Backups that the commits of the window rest on, by name. */
  readonly bases: ReadonlySet<string>;
  /** Records below this number are of commits before the window. */
  readonly horizon: number;
}

/**
 * The part of the history in which every commit can be restored. Pure.
 *
 * Its first moment rests on the newest backup from before it; where there is none, everything stays.
 *
 * @param manifests - newest first
 * @param windowMs - how far back it goes
 */
export function logWindow(manifests: readonly Manifest[], windowMs: number, now: Date): LogWindow {
  const begin = now.getTime() - windowMs;
  const shipped = manifests.filter(({ fork, log }) => !fork && log > 0);
  const first = shipped.findIndex(({ createdAt }) => Date.parse(createdAt) <= begin);
  const bases = first < 0 ? shipped : shipped.slice(0, first + 1);
  return { bases: new Set(bases.map(({ name }) => name)), horizon: first < 0 ? 0 : (shipped[first]?.log ?? 0) };
}
