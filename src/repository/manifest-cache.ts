import { readFile } from 'node:fs/promises';
import { replaceFile } from '../runtime/replace-file.js';

/**
 * The last manifest that this service wrote, beside the database: the bytes that were stored, so that a start need not
 * fetch them.
 *
 * A cache: whoever reads it makes sure that the store still holds these very bytes. What cannot be written is left out.
 */
export class ManifestCache {
  constructor(private readonly path: string) {}

  /** Undefined where there is none. */
  async read(): Promise<Buffer | undefined> {
    return readFile(this.path).catch(() => undefined);
  }

  async write(body: Buffer): Promise<void> {
    try {
      await replaceFile(this.path, body);
    } catch {
      // It is fetched then.
    }
  }
}
