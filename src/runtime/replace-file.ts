import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from './sync-folder.js';

/** Who may do what with a file. */
export interface FileAccess {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Replaces a small file in one durable step: a kill leaves the old one or the new one.
 *
 * @param access - for the new one, before anything is in it; by default what the process gives to every file
 */
export async function replaceFile(path: string, content: string | Buffer, access?: FileAccess): Promise<void> {
  const temporary = `${path}.tmp`;
  const file = await (access === undefined ? open(temporary, 'w') : openAnew(temporary, access));
  try {
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** What a kill left may be open to others: it is not written into. */
async function openAnew(path: string, { mode, uid, gid }: FileAccess): Promise<FileHandle> {
  await rm(path, { force: true });
  const file = await open(path, 'wx', 0o600);
  try {
    await file.chown(uid, gid);
    await file.chmod(mode);
    return file;
  } catch (error) {
    await file.close();
    await rm(path, { force: true });
    throw error;
  }
}
