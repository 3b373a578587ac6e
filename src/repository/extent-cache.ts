import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { replaceFile } from '../runtime/replace-file.js';
import { makeFolder } from '../runtime/sync-folder.js';

/**
 * The extents of the newest backup, beside the database, so that the next backup need not fetch them.
 *
 * A cache: each extent is named by the SHA-256 of its text, so what is missing, damaged or of another database is fetched
 * from the store, and what cannot be written is left out. What is encrypted in the store is encrypted here.
 */
export class ExtentCache {
  constructor(private readonly folder: string) {}

  /** The extent as it is stored; undefined where it is not here. */
  async read(key: string): Promise<Buffer | undefined> {
    return readFile(this.#path(key)).catch(() => undefined);
  }

  async write(key: string, body: Buffer): Promise<void> {
    try {
      await makeFolder(this.folder);
      await replaceFile(this.#path(key), body);
    } catch {
      // It is fetched then.
    }
  }

  /** Removes all others. */
  async keepOnly(keys: readonly string[]): Promise<void> {
    const kept = new Set(keys.map((key) => basename(key)));
    const found = await readdir(this.folder).catch(() => []);
    for (const file of found.filter((name) => !kept.has(name))) {
      await rm(join(this.folder, file), { force: true, recursive: true }).catch(() => {});
    }
  }

  #path(key: string): string {
    return join(this.folder, basename(key));
  }
}
