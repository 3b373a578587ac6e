import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, realpath, stat, unlink } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import type { FolderConfig } from '../../config/store.config.js';
import { EiderError } from '../../errors/eider-error.js';
import { type ByteRange, checkRange, rangeOutside } from '../byte-range.js';
import { ChunkSource } from '../chunk-source.js';
import { LinkedAbort } from '../linked-abort.js';
import { checkKey, checkPrefix } from '../object-key.js';
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
import { filesystemError, isAbsent, systemCode } from './filesystem-errors.js';
import { listFolder } from './folder-listing.js';

/** Folder of temporary files, in the same file system as the objects so that they can be linked. */
const PENDING = '.eider-pending';

/**
 * Objects as files of a folder. Each is written under a temporary name, put on the disk and then linked, so that a
 * listing shows whole objects only, whatever moment the process or the machine dies at.
 */
export class FilesystemObjectStore implements ObjectStore, StoreUpkeep {
  readonly description: string;
  private readonly root: string;

  constructor(config: Pick<FolderConfig, 'folder' | 'prefix'>) {
    this.root = resolve(config.folder, config.prefix);
    this.description = `folder ${join(config.folder, config.prefix)}`;
  }

  async put(key: string, body: Buffer, options: PutOptions = {}): Promise<void> {
    await this.attempt(`Writing ${key}`, options, async () => {
      const target = await this.pathOf(key);
      await this.publish(target, options, (file) => file.write(body), options.ifAbsent === true);
    });
  }

  async upload(key: string, chunks: AsyncIterable<Buffer>, options: UploadOptions = {}): Promise<{ bytes: number }> {
    const abort = new LinkedAbort(options.signal);
    const source = new ChunkSource(chunks, abort.signal);
    try {
      return await this.attempt(`Writing ${key}`, options, async () => {
        const target = await this.pathOf(key);
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
        const found = await lstat(await this.pathOf(key));
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
      await this.realRoot();
      yield* listFolder(this.root, PENDING, prefix, options);
    } catch (error) {
      throw this.failure(error, `Listing ${prefix}`, options.signal);
    }
  }

  async delete(key: string, options: RequestOptions = {}): Promise<void> {
    await this.attempt(`Deleting ${key}`, options, async () => {
      const path = await this.pathOf(key);
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
      const folder = join(this.root, PENDING);
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
    const file = await PendingFile.create(join(this.root, PENDING));
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
    const handle = await open(await this.pathOf(key), constants.O_RDONLY | constants.O_NOFOLLOW).catch((error) => {
      throw isAbsent(error) ? this.notFound(key, error) : error;
    });
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

  /** Path of a key; refuses keys of the temporary folder and folders that a symbolic link leads out of the root. */
  private async pathOf(key: string): Promise<string> {
    checkKey(key);
    if (key === PENDING || key.startsWith(`${PENDING}/`)) {
      throw new EiderError('STORE_KEY_INVALID', `The key ${key} is refused: ${PENDING} holds temporary files.`);
    }
    const path = join(this.root, key);
    const root = await this.realRoot();
    const folder = await this.deepestFolder(dirname(path));
    if (folder !== root && !folder.startsWith(root + sep)) {
      throw new EiderError('STORE_DENIED', `The key ${key} leads out of ${this.description} by a symbolic link.`);
    }
    return path;
  }

  /**
   * The real path of the root, which need not exist yet. A file in its place is refused: it would look like an empty store,
   * and an empty database would be created beside a repository that is only misspelt.
   */
  private async realRoot(): Promise<string> {
    try {
      const root = await realpath(this.root);
      if ((await stat(root)).isDirectory()) return root;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return this.root;
      if (systemCode(error) !== 'ENOTDIR') throw error;
    }
    throw new EiderError('STORE_FAILED', `${this.description} cannot be used: a file is where a folder should be.`);
  }

  /** The real path of the folder, or of the nearest one above it that exists: the place where new folders would go. */
  private async deepestFolder(path: string): Promise<string> {
    if (path.length <= this.root.length) return await realpath(this.root).catch(absentAs(this.root));
    return (await realpath(path).catch(absentAs(undefined))) ?? (await this.deepestFolder(dirname(path)));
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

function absentAs<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (isAbsent(error)) return value;
    throw error;
  };
}

function none(error: unknown): string[] {
  if (isAbsent(error)) return [];
  throw error;
}
