import { hasRoomToFold } from '../database/disk-room.js';
import { roomToRestore } from '../restore/restore-plan.js';
import type { Finding } from './health-report.js';

/** What a look at the database shows. */
export type DatabaseFacts =
  | { readonly open: false; readonly fatal: string | null }
  | {
      readonly open: true;
      /** Why DuckDB gave up; null while it has not. */
      readonly fatal: string | null;
      readonly path: string;
      /** ms; null when the trial query failed. */
      readonly connectionMs: number | null;
      readonly queryMs: number | null;
      readonly queryError: string | null;
      readonly bytes: number;
      readonly walBytes: number;
      /** Commits that the next start has to replay, 0.2 to 0.3 ms each. */
      readonly commitsInWal: number;
      readonly diskFreeBytes: number;
      /** What kept the last checkpoint from running; null where it ran. */
      readonly checkpointObstacle: string | null;
      /** Why writes are paused; null while they are not. */
      readonly writesPaused: string | null;
      readonly writesInFlight: number;
    };

/** Slower than this is worth a look, ms. */
const SLOW_MS = 1_000;
/** A log this many times the size from which it should have been folded means that something keeps it from being. */
const LARGE_WAL = 512 * 1024 * 1024;

/** What is wrong with a database. Pure. */
export function assessDatabase(facts: DatabaseFacts): Finding[] {
  if (facts.fatal !== null) {
    return [{ state: 'down', what: `DuckDB has given up (${facts.fatal}); restart the service, the log is whole` }];
  }
  if (!facts.open)
    return [{ state: 'down', what: 'the database is not open: a start, a restore or a stop is under way' }];
  const findings: Finding[] = [];
  const degraded = (what: string): void => void findings.push({ state: 'degraded', what });
  if (facts.queryError !== null) findings.push({ state: 'down', what: `a query failed: ${facts.queryError}` });
  if ((facts.connectionMs ?? 0) + (facts.queryMs ?? 0) > SLOW_MS) degraded('a small query took more than a second');
  if (facts.writesPaused !== null) degraded(`writes are paused: ${facts.writesPaused}`);
  if (facts.walBytes > LARGE_WAL) {
    degraded(`the write-ahead log cannot be folded: in the way is ${facts.checkpointObstacle ?? 'a long transaction'}`);
  }
  if (!hasRoomToFold(facts.diskFreeBytes, facts.walBytes)) {
    degraded('the disk is nearly full: the log is not folded any more; make room before writes fail');
  } else if (facts.diskFreeBytes < roomToRestore(facts.bytes, facts.walBytes)) {
    degraded('the disk has no room for a second copy of the database, which a restore needs');
  }
  return findings;
}
