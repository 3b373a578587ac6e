import { constants } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isMissing, systemCode } from '../errors/system-error.js';

/** Makes renames, new entries and removals in a folder survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } catch (error) {
    // Some network and FUSE file systems refuse fsync on folders; there is nothing more to be done there.
    if (!['EINVAL', 'ENOTSUP', 'EPERM', 'EISDIR'].includes(systemCode(error) ?? '')) throw error;
  } finally {
    await handle.close();
  }
}

/**
 * Creates a folder and its parents; each new entry is durable when this returns.
 *
 * Not with mkdir's own `recursive`: where a parent exists and the folder still cannot be made, as below /proc, Node tries
 * again for ever.
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return;
    if (!isMissing(error) || dirname(folder) === folder) throw error;
    await makeFolder(dirname(folder));
    await mkdir(folder).catch(exceptExisting);
  }
  await syncFolder(dirname(folder));
}

/** Somebody else has made it in the meantime. */
function exceptExisting(error: unknown): void {
  if (systemCode(error) !== 'EEXIST') throw error;
}
