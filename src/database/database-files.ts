import { access, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isMissing } from '../errors/system-error.js';

/** What a database knows of its own history. */
export const stateFileOf = (database: string): string => `${database}.eider.json`;

/** Where the last manifest that was written is kept: a cache. */
export const manifestCacheOf = (database: string): string => `${database}.eider-manifest.json`;

/** Where block tables of the newest backup are kept: a cache. */
export const extentCacheOf = (database: string): string => `${database}.eider-extents`;

/**
 * The files that make up one database: DuckDB finds the log by the name of the main file, so they move together.
 * The main file comes last where they are put in place, first where they are taken away: a file without its log would
 * open as an older state.
 */
export function filesOf(database: string): string[] {
  return [`${database}.wal`, `${database}.wal.checkpoint`, `${database}.wal.recovery`, stateFileOf(database), database];
}

export async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** The folder of a file, or the nearest one above it that exists: on a new machine the data folder does not, yet. */
export async function nearestFolder(path: string): Promise<string> {
  let folder = dirname(path);
  while (folder !== dirname(folder) && !(await exists(folder))) folder = dirname(folder);
  return folder;
}

/** Deletes a database that is only a working copy. */
export async function removeDatabase(database: string): Promise<void> {
  for (const file of [...filesOf(database), `${database}.tmp`, `${stateFileOf(database)}.tmp`]) {
    await rm(file, { force: true, recursive: true });
  }
}

const RESTORE_POINT = '.restore-point-';
const QUARANTINE = '.unreadable-';

/**
 * The name that a replaced database gets: after those there are, even where the clock stands still or was set back. No
 * restore point then takes the name of another, and the newest one is never removed as the oldest.
 */
export async function setAsideName(
  database: string,
  now: Date,
  reason: 'restore-point' | 'unreadable',
): Promise<string> {
  const infix = reason === 'restore-point' ? RESTORE_POINT : QUARANTINE;
  const times = (await siblings(database, infix)).flatMap((name) => timeOfAside(name) ?? []);
  const time = new Date(Math.max(now.getTime(), ...times.map((taken) => taken + 1)));
  const text = time.toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 19).replace('.', '-');
  return `${database}${infix}${text}`;
}

function timeOfAside(name: string): number | undefined {
  const found = /-(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-(\d{3})(?:\.|$)/.exec(name);
  if (found === null) return undefined;
  const [, year, month, day, hour, minute, second, ms] = found;
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`);
  return Number.isNaN(time) ? undefined : time;
}

/** Databases that were replaced, newest first; their logs and state files are not listed. */
export async function restorePoints(database: string): Promise<string[]> {
  const names = await siblings(database, RESTORE_POINT);
  return names
    .filter((name) => /\.restore-point-\d{8}-\d{6}-\d{3}$/.test(name))
    .toSorted()
    .reverse();
}

/** Keeps the newest restore points; returns the ones that were removed. */
export async function pruneRestorePoints(database: string, keep: number): Promise<string[]> {
  const surplus = (await restorePoints(database)).slice(keep);
  for (const point of surplus) await removeDatabase(point);
  return surplus;
}

/** Files beside a database whose names go on so. */
export async function siblings(database: string, infix: string): Promise<string[]> {
  const folder = dirname(database);
  const prefix = `${basename(database)}${infix}`;
  if (!(await exists(folder))) return [];
  return (await readdir(folder)).filter((name) => name.startsWith(prefix)).map((name) => join(folder, name));
}
