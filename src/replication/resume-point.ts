import { createHash } from 'node:crypto';
import type { DatabaseDescriptors } from '../database/database-descriptors.js';
import { reading } from '../database/inspect.js';
import { comparePositions } from '../duckdb-format/file-position.js';
import type { Lineage } from '../lineage/lineage.js';
import type { Log } from '../repository/log.js';
import type { LogHead, WalRecordHead } from '../repository/log-record.js';
import type { Manifest } from '../repository/manifest.js';
import type { Repository } from '../repository/repository.js';
import { openHashes } from '../repository/sealed-record.js';

/** Records that are looked back at: restarts in a row leave only `open` and `close`. */
const LOOK_BACK = 200;
/** Bytes that are hashed at a time. */
const STEP = 1024 * 1024;

/** Where shipping goes on when a database was opened. */
export type ResumePoint =
  /** The base of this iteration is in the store, and its log up to `from`. */
  | { readonly kind: 'continue'; readonly base: Manifest; readonly from: number }
  /** A new base is needed; nothing contradicts the history in the store. `isKnown`: that holds earlier points of it. */
  | { readonly kind: 'base'; readonly isKnown: boolean }
  /** The local log is not the one that was shipped: the history goes on under another lineage. */
  | { readonly kind: 'diverged'; readonly why: string };

/**
 * Compares the open database with what its history has in the log. Any doubt means a new base, never a guess.
 *
 * @throws EiderError LOG_RECORD_CORRUPT, STORE_*
 */
export async function findResumePoint(
  files: DatabaseDescriptors,
  lineage: Lineage['state'],
  repository: Repository,
  last: number,
): Promise<ResumePoint> {
  const local = files.position();
  const { shipped, isClosed } = await lastRecords(repository.log, last, lineage.lineage);
  if (shipped !== undefined) {
    if (shipped.iteration > local.iteration || (shipped.iteration === local.iteration && shipped.to > local.offset)) {
      return { kind: 'diverged', why: `record ${shipped.number} is ahead of the local database` };
    }
    if (shipped.iteration === local.iteration && !holdsSame(files, openHashes(shipped, repository.keyring))) {
      return { kind: 'diverged', why: `the local log is not the one of record ${shipped.number}` };
    }
  }
  const { bases, isKnown } = await basesOf(repository, lineage.lineage, local.iteration);
  if (shipped?.iteration === local.iteration) {
    // What follows a record rests on the same backup, or could not be joined to it.
    const base = bases.find(({ name }) => name === shipped.base);
    return base === undefined ? { kind: 'base', isKnown } : { kind: 'continue', base, from: shipped.to };
  }
  const base = bases.at(-1);
  if (base !== undefined) return { kind: 'continue', base, from: 0 };
  // A clean stop has shipped everything, and folded the log after that.
  const isSaved = lineage.saved !== null && comparePositions(lineage.saved, local) === 0;
  const { restored } = lineage;
  const isRestored = restored !== undefined && comparePositions(restored, local) === 0;
  return { kind: 'base', isKnown: isKnown && !isRestored && !(isClosed && isSaved) };
}

/** The last record of commits of a lineage, and whether its last writer closed its turn. */
async function lastRecords(
  log: Log,
  last: number,
  lineage: string,
): Promise<{ shipped: WalRecordHead | undefined; isClosed: boolean }> {
  let isClosed = false;
  for (let number = last; number > Math.max(0, last - LOOK_BACK); number--) {
    const head: LogHead | undefined = (await log.read(number))?.head;
    if (head === undefined || head.lineage !== lineage) break;
    if (head.kind === 'wal') return { shipped: head, isClosed };
    if (number === last) isClosed = head.kind === 'close';
  }
  return { shipped: undefined, isClosed };
}

/** Whether the local log has the bytes that a record says it shipped. */
function holdsSame(files: DatabaseDescriptors, { from, to, wal }: WalRecordHead): boolean {
  const live = files.wal();
  if (live === undefined) return false;
  const read = reading(live.descriptor);
  const hash = createHash('sha256');
  for (let at = from; at < to; at += STEP) hash.update(read(at, Math.min(STEP, to - at)));
  return hash.digest('hex') === wal.sha256;
}

/** The backups of an iteration, newest first, and whether the store knows the lineage. */
async function basesOf(
  repository: Repository,
  lineage: string,
  iteration: number,
): Promise<{ bases: readonly Manifest[]; isKnown: boolean }> {
  const { backups } = await repository.list();
  const bases: Manifest[] = [];
  let isKnown = false;
  for (const { name } of backups) {
    const manifest = await repository.manifests.of(name);
    const { position, fork } = manifest;
    if (fork || position.lineage !== lineage || position.iteration > iteration) continue;
    isKnown = true;
    if (position.iteration < iteration) break;
    bases.push(manifest);
  }
  return { bases, isKnown };
}
