import { type FileHandle, open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { BlockPool } from '../block-pool/block-pool.js';
import { EiderError, isEiderError, messageOf } from '../errors/eider-error.js';
import type { Progress } from '../operations/operation.js';
import { decompressor } from '../repository/decompress.js';
import { type Damage, ImageReader } from '../repository/image-reader.js';
import { LocalBlocks } from '../repository/local-blocks.js';
import type { ForeignBackup } from '../repository/listing.js';
import type { Manifest } from '../repository/manifest.js';
import type { FoundBackup, Repository } from '../repository/repository.js';
import { systemCode } from '../errors/system-error.js';
import { LogReplay } from './log-replay.js';
import { writeFully } from '../runtime/write-fully.js';
import type { LocalSource } from './local-source.js';

/** What the file system answers where the folder of the database may not be written to. */
const NOT_WRITABLE: ReadonlySet<string> = new Set(['EROFS', 'EACCES', 'EPERM']);

export interface FetchOptions {
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
  /** The file is there and may hold blocks of the backup; otherwise it must not exist. */
  readonly resumes: boolean;
  /** Another file that may. */
  readonly local: LocalSource | undefined;
}

/** Where the bytes of a restored file came from. */
export interface Fetched {
  /** Bytes that were read from the store. */
  readonly fetchedBytes: number;
  /** Blocks that were on this machine's disk, and the bytes that they make up. */
  readonly localBlocks: number;
  readonly localBytes: number;
}

/** A file that was fetched. */
export interface FetchedFile {
  readonly fetched: Fetched;
  /**
   * Settles when the database file is on the disk, and then only: the disk writes while the file is checked.
   *
   * Throws as `ImageFetch.fetch`, and to nobody where it is not awaited.
   */
  readonly durable: Promise<void>;
}

/** Fetches backups into files that nobody has open. */
export class ImageFetch {
  readonly #reader: ImageReader;
  readonly #replay: LogReplay;

  constructor(
    private readonly repository: Repository,
    private readonly pool: BlockPool,
  ) {
    this.#reader = new ImageReader(repository, pool);
    this.#replay = new LogReplay(repository);
  }

  /**
   * Writes a backup's database file, and its log beside it. Blocks that are on the disk already are not fetched.
   *
   * @throws EiderError BACKUP_DAMAGED, RESTORE_NO_SPACE, DATABASE_PATH_INVALID, STORE_*; what was written is the caller's to
   *   keep or to remove
   */
  async fetch(found: FoundBackup, path: string, options: FetchOptions): Promise<FetchedFile> {
    try {
      if (found.kind === 'foreign') return await this.#fetchForeign(found.foreign, path, options);
      const file = await this.#fetchImage(found.manifest, path, options);
      if (found.point === undefined) return file;
      const records = await this.#replay.apply(found.point, path, options.local, options.signal);
      const { fetched } = file;
      return { ...file, fetched: { ...fetched, fetchedBytes: fetched.fetchedBytes + records } };
    } catch (error) {
      throw writingFailed(error, path);
    }
  }

  async #fetchImage(manifest: Manifest, path: string, options: FetchOptions): Promise<FetchedFile> {
    const { progress, signal, resumes, local } = options;
    progress.total(manifest.database.size);
    const main = await open(path, resumes ? 'r+' : 'wx+');
    const sources = [...(resumes ? [main.fd] : []), ...(local === undefined ? [] : [local.descriptor])];
    const blocks = new LocalBlocks(this.pool, { sources, target: main.fd });
    let surplus = 0;
    try {
      // First: whatever a longer file holds behind the end of this one gives its room back.
      await main.truncate(manifest.database.size);
      const reading = await this.#reader.readMain(manifest, main, progress, signal, blocks);
      refuseDamage(manifest, reading.damages);
      surplus = reading.surplus;
    } catch (error) {
      await main.close();
      throw error;
    }
    const durable = makeDurable(main, path);
    if (manifest.wal !== null) await this.#fetchWal(manifest, `${path}.wal`, signal);
    const fetchedBytes = manifest.bytes.stored - blocks.stored + surplus;
    return { fetched: { fetchedBytes, localBlocks: blocks.blocks, localBytes: blocks.bytes }, durable };
  }

  async #fetchWal(manifest: Manifest, path: string, signal: AbortSignal | undefined): Promise<void> {
    const wal = await open(path, 'wx+');
    try {
      refuseDamage(manifest, await this.#reader.readWal(manifest, wal, signal));
      await wal.sync();
    } finally {
      await wal.close();
    }
  }

  async #fetchForeign(foreign: ForeignBackup, path: string, { progress, signal }: FetchOptions): Promise<FetchedFile> {
    progress.total(foreign.size);
    const file = await open(path, 'wx+');
    try {
      const { stream } = await this.repository.store.open(foreign.name, signal === undefined ? {} : { signal });
      await pipeline(counted(stream, progress), decompressor(foreign.encoding), async (chunks) => {
        let position = 0;
        for await (const chunk of chunks) {
          await writeFully(file, chunk, position);
          position += chunk.length;
        }
      });
      await file.sync();
      return { fetched: { fetchedBytes: foreign.size, localBlocks: 0, localBytes: 0 }, durable: Promise.resolve() };
    } catch (error) {
      if (isEiderError(error) || messageOf(error).includes('ENOSPC')) throw error;
      throw new EiderError('BACKUP_DAMAGED', `${foreign.name} cannot be decompressed: ${messageOf(error)}`, {
        cause: error,
      });
    } finally {
      await file.close();
    }
  }
}

/** Puts a file on the disk and closes it. */
function makeDurable(file: FileHandle, path: string): Promise<void> {
  const durable = file
    .sync()
    .finally(() => file.close())
    .catch((error: unknown) => {
      throw writingFailed(error, path);
    });
  // Where the fetch or the check fails, too, that is told.
  durable.catch(() => {});
  return durable;
}

function writingFailed(error: unknown, path: string): unknown {
  if (messageOf(error).includes('ENOSPC')) {
    return new EiderError('RESTORE_NO_SPACE', `The disk became full while ${path} was written.`, { cause: error });
  }
  if (!NOT_WRITABLE.has(systemCode(error) ?? '')) return error;
  return new EiderError('DATABASE_PATH_INVALID', `${path} cannot be written: ${messageOf(error)}.`, { cause: error });
}

async function* counted(stored: AsyncIterable<Buffer>, progress: Progress): AsyncGenerator<Buffer, void, void> {
  for await (const chunk of stored) {
    progress.advance(chunk.length);
    yield chunk;
  }
}

function refuseDamage(manifest: Manifest, damages: readonly Damage[]): void {
  const first = damages[0];
  if (first === undefined) return;
  const where = first.block === undefined ? '' : ` (block ${first.block})`;
  throw new EiderError(
    'BACKUP_DAMAGED',
    `${manifest.name} is damaged in ${damages.length} place${damages.length === 1 ? '' : 's'}: ${first.key}${where} ${first.why}.`,
    { details: { backup: manifest.name, damages: damages.slice(0, 20) } },
  );
}
