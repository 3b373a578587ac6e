import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';

/** Room that is kept on the disk of the database, bytes: a commit that finds none fails, and a full disk is hard to mend. */
export const LEAST_FREE = 64 * 1024 * 1024;

/** Bytes that are free on the disk of a file. */
export function freeBytesBeside(path: string): number {
  const { bavail, bsize } = statfsSync(dirname(path));
  return bavail * bsize;
}

/** Whether a checkpoint may begin: it writes what the log holds into the file once more before the log goes. */
export function hasRoomToFold(freeBytes: number, walBytes: number): boolean {
  return freeBytes >= LEAST_FREE + walBytes;
}
