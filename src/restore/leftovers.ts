import { randomUUID } from 'node:crypto';
import { access, constants, lstat, rename, rm } from 'node:fs/promises';
import { lockHolder } from '../database/lock-holder.js';
import { removeDatabase, siblings } from '../database/database-files.js';
import { isOpenHere } from '../database/open-files.js';
import { isRunning, ownIdentity, type ProcessIdentity } from '../runtime/process-identity.js';

const RESTORING = '.restoring-';

/** Working copies that this process uses. */
const inHand = new Set<string>();

/** What an interrupted restore has fetched, for the next one to go on with. */
export interface PartialRestore {
  readonly path: string;
  /** Bytes that it takes on the disk. */
  readonly occupied: number;
}

/** What interrupted restores have left beside a database. */
interface Leftovers {
  /** The one that holds most. */
  readonly best: PartialRestore | undefined;
  /** Everything else, to be removed. */
  readonly surplus: readonly string[];
}

/** Where an interrupted restore is kept: one file, without a log. */
export const partialOf = (database: string): string => `${database}.restore-partial`;

/**
 * A new name for a file to restore into: beside the database, on the same file system. It says whose it is, since other
 * processes take over what was left by one that is gone.
 */
export function newWorkingCopy(database: string): string {
  const { pid, began } = ownIdentity();
  const path = `${database}${RESTORING}${pid}-${began}-${randomUUID().slice(0, 8)}`;
  inHand.add(path);
  return path;
}

/** Removes a working copy that was not, or not finally, put in place. */
export async function removeWorkingCopy(path: string): Promise<void> {
  inHand.delete(path);
  await removeDatabase(path);
}

/** Looks for what an interrupted restore has left; changes nothing. */
export async function findPartial(database: string): Promise<PartialRestore | undefined> {
  return (await leftoversOf(database)).best;
}

/**
 * Takes over what an interrupted restore has left, under a name of one's own; everything else that was left is removed.
 * Two processes may come here at once: a rename succeeds for one of them.
 */
export async function takePartial(database: string): Promise<string | undefined> {
  const { best, surplus } = await leftoversOf(database);
  for (const path of surplus) await rm(path, { force: true, recursive: true });
  if (best === undefined) return undefined;
  const path = newWorkingCopy(database);
  try {
    await rename(best.path, path);
    return path;
  } catch {
    inHand.delete(path);
    return undefined;
  }
}

/**
 * Keeps the working copy of a restore that was interrupted, in the place of an older one; its log and state are removed.
 *
 * @returns undefined where nothing was written yet
 */
export async function keepPartial(database: string, workingCopy: string): Promise<PartialRestore | undefined> {
  const found = await examine(workingCopy, true);
  if (typeof found === 'string' || found.occupied === 0) {
    await removeWorkingCopy(workingCopy);
    return undefined;
  }
  const path = partialOf(database);
  await rm(path, { force: true, recursive: true });
  await rename(workingCopy, path);
  await removeWorkingCopy(workingCopy);
  return { ...found, path };
}

/** Removes what interrupted restores have left: there is nothing to go on with. */
export async function removeLeftovers(database: string): Promise<void> {
  const { best, surplus } = await leftoversOf(database);
  for (const path of [...surplus, ...(best === undefined ? [] : [best.path])]) {
    await rm(path, { force: true, recursive: true });
  }
}

async function leftoversOf(database: string): Promise<Leftovers> {
  const partials: PartialRestore[] = [];
  const surplus: string[] = [];
  for (const path of [...(await siblings(database, '.restore-partial')), ...(await siblings(database, RESTORING))]) {
    const owner = ownerOf(path, database);
    if (owner !== undefined && isInUse(owner)) continue;
    const found = await examine(path, path === partialOf(database) || path === owner?.workingCopy);
    if (found === 'in use') continue;
    if (found === 'useless') surplus.push(path);
    else partials.push(found);
  }
  const [best, ...others] = partials.toSorted((a, b) => b.occupied - a.occupied);
  return { best, surplus: [...surplus, ...others.map(({ path }) => path)] };
}

interface Owner {
  readonly process: ProcessIdentity;
  /** The working copy that it belongs to; the file itself, or one beside it, such as its log. */
  readonly workingCopy: string;
}

/** Whose file it is, by its name. */
function ownerOf(path: string, database: string): Owner | undefined {
  const found = /^\.restoring-(\d+)-(\d+)-[0-9a-f]{8}/.exec(path.slice(database.length));
  if (found === null) return undefined;
  const [name, pid, began] = found;
  return { process: { pid: Number(pid), began: Number(began) }, workingCopy: `${database}${name}` };
}

function isInUse({ process: { pid, began }, workingCopy }: Owner): boolean {
  const own = ownIdentity();
  return pid === own.pid && began === own.began ? inHand.has(workingCopy) : isRunning({ pid, began });
}

async function examine(path: string, main: boolean): Promise<PartialRestore | 'in use' | 'useless'> {
  try {
    const status = await lstat(path, { bigint: true });
    if (!main || !status.isFile()) return 'useless';
    // The process that checks a working copy outlives, for a moment, the one that was killed, and writes to the file.
    if (isOpenHere(status) || (await lockHolder(status)) !== undefined) return 'in use';
    await access(path, constants.R_OK | constants.W_OK);
    return { path, occupied: Number(status.blocks) * 512 };
  } catch {
    return 'useless';
  }
}
