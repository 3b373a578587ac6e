import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile } from '../runtime/replace-file.js';
import { makeFolder } from '../runtime/sync-folder.js';

/**
 * The extents of the newest backup, beside the database, so that the next backup need not fetch them.
 *
 * A cache: each extent is known by the SHA-256 of its text, so what is missing, damaged or of another database is fetched
 * from the store, and what cannot be written is left out.
 */
export class ExtentCache {
  constructor(private readonly folder: string) {}

  /** The extent as it is stored; undefined where it is not here. */
  async read(sha256: string): Promise<Buffer | undefined> {
    return readFile(this.#path(sha256)).catch(() => undefined);
  }

  async write(sha256: string, body: Buffer): Promise<void> {
    try {
      await makeFolder(this.folder);
      await replaceFile(this.#path(sha256), body);
    } catch {
      // It is fetched then.
    }
  }

  /** Removes all others. */
  async keepOnly(sha256: ReadonlySet<string>): Promise<void> {
    const kept = new Set([...sha256].map(fileName));
    const found = await readdir(this.folder).catch(() => []);
    for (const file of found.filter((name) => !kept.has(name))) {
      await rm(join(this.folder, file), { force: true, recursive: true }).catch(() => {});
    }
  }

  #path(sha256: string): string {
    return join(this.folder, fileName(sha256));
  }
}

function fileName(sha256: string): string {
  return `${sha256}.jsonl.zst`;
}
