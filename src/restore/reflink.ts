import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { chmod, copyFile, rm, stat, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { compiledFile } from '../runtime/compiled-file.js';
import type { LocalSource } from './local-source.js';

/** A clone or nothing: never a copy, which would cost time and room. */
const CLONE = constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL;

/**
 * Makes `target` a clone of a file, which shares its blocks until one of them is written: XFS, Btrfs and others do that in
 * no time and without room.
 *
 * @returns false where the file system cannot; there is no `target` then
 */
export async function cloneOf(source: LocalSource, target: string): Promise<boolean> {
  try {
    if (!source.inUse) {
      await copyFile(source.path, target, CLONE);
    } else {
      // Cloning opens and closes the file. Done here, that would drop DuckDB's lock on it, so a process of its own does it,
      // which is worth starting only where clones are known.
      if (!(await knowsClones(target))) return false;
      await promisify(execFile)(process.execPath, [
        compiledFile(import.meta.url, './reflink-process.js'),
        source.path,
        target,
      ]);
    }
    // A clone has the mode of its source, which may be read-only.
    await chmod(target, (await stat(target)).mode | 0o600);
    return true;
  } catch {
    await rm(target, { force: true });
    return false;
  }
}

/** Tries it with an empty file. */
async function knowsClones(target: string): Promise<boolean> {
  const clone = `${target}.tmp`;
  try {
    await writeFile(target, '', { flag: 'wx' });
    await copyFile(target, clone, CLONE);
    return true;
  } catch {
    return false;
  } finally {
    for (const path of [target, clone]) await rm(path, { force: true });
  }
}
