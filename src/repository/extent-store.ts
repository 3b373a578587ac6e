import { codecOf } from '../block-pool/codec.js';
import { EiderError, isEiderError } from '../errors/eider-error.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { decodeExtent, type Extent, type StoredExtent } from './extent.js';
import type { ExtentCache } from './extent-cache.js';
import type { ExtentReference, Manifest } from './manifest.js';

/** Objects younger than this are not removed by retention while a backup takes less than half a day, ms. */
const REFRESH_MS = 12 * 3_600_000;

/** The block tables of a repository: in the store, and those of the newest backup in a cache, too. */
export class ExtentStore {
  constructor(
    private readonly store: ObjectStore,
    private readonly now: () => Date,
    private readonly cache: ExtentCache | undefined,
  ) {}

  /** Stores an extent, unless it is there; the bytes that were added. */
  async put({ key, sha256, body }: StoredExtent): Promise<number> {
    await this.cache?.write(sha256, body);
    const found = await this.store.head(key);
    const isNew = found?.size !== body.byteLength;
    // One that no backup needs may be about to be removed, since it is old: it is made young again.
    if (isNew || this.now().getTime() - found.modifiedAt.getTime() > REFRESH_MS) await this.store.put(key, body);
    return isNew ? body.byteLength : 0;
  }

  /** The block tables of a backup, in order, from the store, each checked. Throws EXTENT_CORRUPT, BACKUP_DAMAGED. */
  async *of(manifest: Manifest, signal?: AbortSignal): AsyncGenerator<Extent, void, void> {
    for (const reference of manifest.extents) {
      yield checked(manifest, reference, unpacked(await this.#fetch(manifest, reference, signal), reference));
    }
  }

  /**
   * One block table of a backup that is to be built on: from the cache where it is there. Undefined behind the last one.
   *
   * @throws EiderError EXTENT_CORRUPT, BACKUP_DAMAGED
   */
  async cached(manifest: Manifest, index: number): Promise<Extent | undefined> {
    const reference = manifest.extents[index];
    if (reference === undefined) return undefined;
    const kept = await this.cache?.read(reference.sha256);
    if (kept !== undefined) {
      try {
        return checked(manifest, reference, unpacked(kept, reference));
      } catch {
        // A cache that is damaged is no cache.
      }
    }
    const stored = await this.#fetch(manifest, reference);
    const extent = checked(manifest, reference, unpacked(stored, reference));
    await this.cache?.write(reference.sha256, stored);
    return extent;
  }

  /** Leaves only the block tables of this backup in the cache. */
  async cacheOnly({ extents }: Manifest): Promise<void> {
    await this.cache?.keepOnly(new Set(extents.map(({ sha256 }) => sha256)));
  }

  async #fetch({ name }: Manifest, { key, sha256 }: ExtentReference, signal?: AbortSignal): Promise<Buffer> {
    try {
      return await this.store.read(key, signal === undefined ? {} : { signal });
    } catch (error) {
      if (!isEiderError(error, 'STORE_NOT_FOUND')) throw error;
      throw new EiderError('BACKUP_DAMAGED', `The block table ${key} of ${name} is missing.`, {
        cause: error,
        details: { backup: name, extent: sha256 },
      });
    }
  }
}

function unpacked(stored: Buffer, { key, sha256 }: ExtentReference): Buffer {
  try {
    return Buffer.from(codecOf('zstd').decode(stored));
  } catch (error) {
    throw new EiderError('EXTENT_CORRUPT', `The block table ${key} cannot be decompressed.`, {
      cause: error,
      details: { extent: sha256 },
    });
  }
}

function checked({ name }: Manifest, { key, sha256, first, count }: ExtentReference, text: Buffer): Extent {
  const extent = decodeExtent(text, sha256);
  if (extent.first !== first || extent.frames.length !== count) {
    throw new EiderError('EXTENT_CORRUPT', `${key} covers other blocks than the manifest of ${name} says.`);
  }
  return extent;
}
