import { utimes } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { FilesystemObjectStore } from '../../src/object-store/filesystem/filesystem-object-store.js';
import type { PutOptions, UploadOptions } from '../../src/object-store/object-store.js';

/** A folder whose files are of the time that a test's clock shows. */
export class DatedFolder extends FilesystemObjectStore {
  readonly #root: string;

  constructor(
    config: { readonly folder: string; readonly prefix: string },
    private readonly clock: { now(): Date },
  ) {
    super(config);
    this.#root = resolve(config.folder, config.prefix);
  }

  override async put(key: string, body: Buffer, options?: PutOptions): Promise<void> {
    await super.put(key, body, options);
    await this.#date(key);
  }

  override async upload(
    key: string,
    chunks: AsyncIterable<Buffer>,
    options?: UploadOptions,
  ): Promise<{ bytes: number }> {
    const result = await super.upload(key, chunks, options);
    await this.#date(key);
    return result;
  }

  async #date(key: string): Promise<void> {
    const now = this.clock.now();
    await utimes(join(this.#root, key), now, now);
  }
}
