import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, stat, unlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { FolderConfig } from '../../config/store.config.js';
import { EiderError } from '../../errors/eider-error.js';
import { type ByteRange, checkRange, rangeOutside } from '../byte-range.js';
import { ChunkSource } from '../chunk-source.js';
import { LinkedAbort } from '../linked-abort.js';
import { checkPrefix } from '../object-key.js';
import type {
  GetOptions,
  ListOptions,
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  ReadOptions,
  RequestOptions,
  UploadOptions,
} from '../object-store.js';
import type { StoreUpkeep } from '../store-upkeep.js';
import { PendingFile } from './durable-file.js';
import { readRange, streamRange } from './file-body.js';
import { filesystemError, isAbsent } from './filesystem-errors.js';
import { listFolder } from './folder-listing.js';
import { PENDING, StoreFolder } from './store-folder.js';

/**
 * Objects as files of a folder. Each is written under a temporary name, put on the disk and then linked, so that a
 * listing shows whole objects only, whatever moment the process or the machine dies at.
 */
export class FilesystemObjectStore implements ObjectStore, StoreUpkeep {
  readonly description: string;
  private readonly folder: StoreFolder;

  constructor(config: Pick<FolderConfig, 'folder' | 'prefix'>) {
    this.description = `folder ${join(config.folder, config.prefix)}`;
    this.folder = new StoreFolder(resolve(config.folder, config.prefix), this.description);
  }

  async put(key: string, body: Buffer, options: PutOptions = {}): Promise<void> {
    await this.attempt(`Writing ${key}`, options, async () => {
      const target = await this.folder.pathOf(key);
      await this.publish(target, options, (file) => file.write(body), options.ifAbsent === true);
    });
  }

  async upload(key: string, chunks: AsyncIterable<Buffer>, options: UploadOptions = {}): Promise<{ bytes: number }> {
    const abort = new LinkedAbort(options.signal);
    const source = new ChunkSource(chunks, abort.signal);
    try {
      return await this.attempt(`Writing ${key}`, options, async () => {
        const target = await this.folder.pathOf(key);
        return await this.publish(target, options, async (file) => {
          for (let chunk = await source.next(); chunk !== undefined; chunk = await source.next())
            await file.write(chunk);
        });
      });
    } catch (error) {
      source.stop();
      throw source.blame(error);
    } finally {
      abort.release();
    }
  }

  async open(key: string, options: GetOptions = {}): Promise<ObjectBody> {
    return await this.attempt(`Reading ${key}`, options, async () => {
      const { handle, range } = await this.openRange(key, options.range);
      return {
        stream: streamRange(handle, range, this.nameOf(key), options.signal),
        length: range.end - range.start,
      };
    });
  }

  async read(key: string, options: ReadOptions = {}): Promise<Buffer> {
    return await this.attempt(`Reading ${key}`, options, async () => {
      const { handle, range } = await this.openRange(key, options.range);
      try {
        return await readRange(handle, range, this.nameOf(key), options.into);
      } finally {
        await handle.close();
      }
    });
  }

  async head(key: string, options: RequestOptions = {}): Promise<ObjectInfo | undefined> {
    return await this.attempt(`Looking for ${key}`, options, async () => {
      try {
        const found = await lstat(await this.folder.pathOf(key));
        return found.isFile() ? { key, size: found.size, modifiedAt: found.mtime } : undefined;
      } catch (error) {
        if (isAbsent(error)) return undefined;
        throw error;
      }
    });
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    try {
      options.signal?.throwIfAborted();
      await this.folder.realRoot();
      yield* listFolder(this.folder.root, PENDING, prefix, options);
    } catch (error) {
      throw this.failure(error, `Listing ${prefix}`, options.signal);
    }
  }

  async delete(key: string, options: RequestOptions = {}): Promise<void> {
    await this.attempt(`Deleting ${key}`, options, async () => {
      const path = await this.folder.pathOf(key);
      try {
        if ((await lstat(path)).isFile()) await unlink(path);
      } catch (error) {
        if (!isAbsent(error)) throw error;
      }
    });
  }

  async close(): Promise<void> {
    // Nothing is kept open between calls.
  }

  async abortStaleUploads(olderThanMs: number, options: RequestOptions = {}): Promise<number> {
    return await this.attempt('Removing unfinished uploads', options, async () => {
      const folder = this.folder.pending;
      let removed = 0;
      for (const name of await readdir(folder).catch(none)) {
        const path = join(folder, name);
        const age = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? Infinity);
        if (age < olderThanMs) continue;
        await unlink(path);
        removed += 1;
      }
      return removed;
    });
  }

  /** Writes a temporary file and gives it its name; removes the temporary name whatever happens. */
  private async publish(
    target: string,
    options: RequestOptions,
    write: (file: PendingFile) => Promise<void>,
    createOnly = false,
  ): Promise<{ bytes: number }> {
    const file = await PendingFile.create(this.folder.pending);
    try {
      await write(file);
      options.signal?.throwIfAborted();
      await file.publish(target, createOnly);
      return { bytes: file.length };
    } finally {
      await file.discard();
    }
  }

  private async openRange(key: string, asked?: ByteRange): Promise<{ handle: FileHandle; range: ByteRange }> {
    if (asked !== undefined) checkRange(asked);
    const handle = await open(await this.folder.pathOf(key), constants.O_RDONLY | constants.O_NOFOLLOW).catch(
      (error) => {
        throw isAbsent(error) ? this.notFound(key, error) : error;
      },
    );
    try {
      const found = await handle.stat();
      if (!found.isFile()) throw this.notFound(key);
      const range = asked ?? { start: 0, end: found.size };
      if (range.end > found.size) throw rangeOutside(this.nameOf(key), range, found.size);
      return { handle, range };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  private async attempt<T>(doing: string, options: RequestOptions, work: () => Promise<T>): Promise<T> {
    try {
      options.signal?.throwIfAborted();
      return await work();
    } catch (error) {
      throw this.failure(error, doing, options.signal);
    }
  }

  private failure(error: unknown, doing: string, signal?: AbortSignal): EiderError {
    if (signal?.aborted === true) {
      return new EiderError('STORE_ABORTED', `${doing} in ${this.description} was aborted.`, { cause: error });
    }
    return filesystemError(error, `${doing} in ${this.description}`);
  }

  private notFound(key: string, cause?: unknown): EiderError {
    return new EiderError('STORE_NOT_FOUND', `There is no ${key} in ${this.description}.`, { cause });
  }

  private nameOf(key: string): string {
    return `${key} in ${this.description}`;
  }
}

function none(error: unknown): string[] {
  if (isAbsent(error)) return [];
  throw error;
}
