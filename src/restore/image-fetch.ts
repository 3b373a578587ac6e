import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { BlockPool } from '../block-pool/block-pool.js';
import { EiderError, isEiderError, messageOf } from '../errors/eider-error.js';
import type { Progress } from '../operations/operation.js';
import { decompressor } from '../repository/decompress.js';
import { type Damage, ImageReader } from '../repository/image-reader.js';
import type { ForeignBackup } from '../repository/listing.js';
import type { Manifest } from '../repository/manifest.js';
import type { FoundBackup, Repository } from '../repository/repository.js';
import { systemCode } from '../errors/system-error.js';
import { LogReplay } from './log-replay.js';
import { writeFully } from '../runtime/write-fully.js';

/** What the file system answers where the folder of the database may not be written to. */
const NOT_WRITABLE: ReadonlySet<string> = new Set(['EROFS', 'EACCES', 'EPERM']);

/** Fetches backups into files that nobody has open. */
export class ImageFetch {
  readonly #reader: ImageReader;
  readonly #replay: LogReplay;

  constructor(
    private readonly repository: Repository,
    pool: BlockPool,
  ) {
    this.#reader = new ImageReader(repository, pool);
    this.#replay = new LogReplay(repository);
  }

  /**
   * Writes a backup's database file, and its log beside it, and makes both durable.
   *
   * @param path - must not exist
   * @throws EiderError BACKUP_DAMAGED, RESTORE_NO_SPACE, DATABASE_PATH_INVALID, STORE_*; what was written is the caller's to remove
   */
  async fetch(found: FoundBackup, path: string, progress: Progress, signal?: AbortSignal): Promise<void> {
    try {
      if (found.kind === 'eider') {
        await this.#fetchImage(found.manifest, path, progress, signal);
        if (found.point !== undefined) await this.#replay.apply(found.point, path, signal);
      } else await this.#fetchForeign(found.foreign, path, progress, signal);
    } catch (error) {
      if (messageOf(error).includes('ENOSPC')) {
        throw new EiderError('RESTORE_NO_SPACE', `The disk became full while ${path} was written.`, { cause: error });
      }
      if (NOT_WRITABLE.has(systemCode(error) ?? '')) {
        throw new EiderError('DATABASE_PATH_INVALID', `${path} cannot be written: ${messageOf(error)}.`, {
          cause: error,
        });
      }
      throw error;
    }
  }

  async #fetchImage(manifest: Manifest, path: string, progress: Progress, signal?: AbortSignal): Promise<void> {
    progress.total(manifest.database.size);
    const main = await open(path, 'wx+');
    try {
      refuseDamage(manifest, await this.#reader.readMain(manifest, main, progress, signal));
      await main.truncate(manifest.database.size);
      await main.sync();
    } finally {
      await main.close();
    }
    if (manifest.wal === null) return;
    const wal = await open(`${path}.wal`, 'wx+');
    try {
      refuseDamage(manifest, await this.#reader.readWal(manifest, wal, signal));
      await wal.sync();
    } finally {
      await wal.close();
    }
  }

  async #fetchForeign(foreign: ForeignBackup, path: string, progress: Progress, signal?: AbortSignal): Promise<void> {
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
