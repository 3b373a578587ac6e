import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { compareKeys, isObjectKey } from '../object-key.js';
import type { ListOptions, ObjectInfo } from '../object-store.js';
import { isAbsent } from './filesystem-errors.js';

interface Entry {
  /** Key of a file; of a folder, its key and a slash, which is how its contents sort among the files beside it. */
  readonly key: string;
  readonly folder: boolean;
}

interface Walk {
  readonly root: string;
  readonly hidden: string;
  readonly prefix: string;
  readonly options: ListOptions;
}

/**
 * Lists the files below `root` as objects in UTF-8 byte order. One folder's names are in memory at a time (and those of
 * its parents), whatever the size of the tree.
 *
 * @param hidden - name of the folder of temporary files, at the top
 */
export function listFolder(
  root: string,
  hidden: string,
  prefix: string,
  options: ListOptions,
): AsyncGenerator<ObjectInfo> {
  // Everything that matches lies in the folder that the prefix names; the rest of the prefix filters names there.
  return walk({ root, hidden, prefix, options }, prefix.slice(0, prefix.lastIndexOf('/') + 1));
}

async function* walk(context: Walk, folder: string): AsyncGenerator<ObjectInfo> {
  for (const { key, folder: isFolder } of await entries(context, folder)) {
    context.options.signal?.throwIfAborted();
    if (isFolder) {
      yield* walk(context, key);
      continue;
    }
    const info = await describe(context.root, key);
    if (info !== undefined) yield info;
  }
}

/** The matching entries of one folder, sorted; symbolic links, sockets and the like are no objects. */
async function entries(context: Walk, folder: string): Promise<Entry[]> {
  const { hidden, prefix, options } = context;
  const found: Entry[] = [];
  for (const dirent of await names(join(context.root, folder))) {
    const key = folder + dirent.name;
    if (key === hidden || !isObjectKey(key)) continue;
    if (dirent.isDirectory()) {
      if (descends(`${key}/`, prefix, options)) found.push({ key: `${key}/`, folder: true });
    } else if (dirent.isFile() && key.startsWith(prefix) && follows(key, options.after)) {
      found.push({ key, folder: false });
    }
  }
  return found.sort((a, b) => compareKeys(a.key, b.key));
}

/** A folder that is not there is empty: nothing was written yet. A file in its place is an error. */
async function names(path: string): Promise<Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (isAbsent(error) && !(await isFile(path))) return [];
    throw error;
  }
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}

function follows(key: string, after: string | undefined): boolean {
  return after === undefined || compareKeys(key, after) > 0;
}

/** Whether a folder can hold keys that match the prefix, are not cut off by `shallow`, and sort after `after`. */
function descends(folder: string, prefix: string, options: ListOptions): boolean {
  if (!prefix.startsWith(folder) && !folder.startsWith(prefix)) return false;
  if (options.shallow === true && folder.length > prefix.length) return false;
  const { after } = options;
  return after === undefined || after.startsWith(folder) || compareKeys(folder, after) > 0;
}

async function describe(root: string, key: string): Promise<ObjectInfo | undefined> {
  try {
    const { size, mtime, mtimeMs, ino } = await stat(join(root, key));
    // Objects are replaced, never changed: a new one is another file.
    return { key, size, modifiedAt: mtime, etag: `${ino}-${mtimeMs}-${size}` };
  } catch (error) {
    // Deleted between the listing of its folder and now.
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
