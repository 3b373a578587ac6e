import { codecOf } from '../block-pool/codec.js';
import type { Keyring } from '../encryption/keyring.js';
import { extentPlace } from '../encryption/places.js';
import { unseal } from '../encryption/seal.js';
import { EiderError, isEiderError, messageOf } from '../errors/eider-error.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { keyOf } from './backup-key.js';
import { decodeExtent, type Extent, type StoredExtent } from './extent.js';
import type { ExtentCache } from './extent-cache.js';
import type { ExtentReference, Manifest } from './manifest.js';

/** The block tables of a repository: in the store, and those of the newest backup in a cache, too. */
export class ExtentStore {
  constructor(
    private readonly store: ObjectStore,
    private readonly cache: ExtentCache | undefined,
    private readonly keyring: Keyring,
  ) {}

  /**
   * Stores an extent; one of the base only where it is not there any more, or was cut. The bytes that were added.
   *
   * A new one is of this backup alone, so that retention never removes what is stored here; one of the base stays for the
   * base, which the backup has reserved.
   */
  async put({ key, body }: StoredExtent, ofBase: boolean): Promise<number> {
    await this.cache?.write(key, body);
    if (ofBase && (await this.store.head(key))?.size === body.byteLength) return 0;
    await this.store.put(key, body);
    return body.byteLength;
  }

  /** The block tables of a backup, in order, from the store, each checked. Throws EXTENT_CORRUPT, BACKUP_DAMAGED, ENCRYPTION_KEY_MISSING. */
  async *of(manifest: Manifest, signal?: AbortSignal): AsyncGenerator<Extent, void, void> {
    for (const reference of manifest.extents) {
      yield this.#decoded(manifest, reference, await this.#fetch(manifest, reference, signal));
    }
  }

  /**
   * One block table of a backup that is to be built on: from the cache where it is there. Undefined behind the last one.
   *
   * @throws EiderError EXTENT_CORRUPT, BACKUP_DAMAGED, ENCRYPTION_KEY_MISSING
   */
  async cached(manifest: Manifest, index: number): Promise<Extent | undefined> {
    const reference = manifest.extents[index];
    if (reference === undefined) return undefined;
    const kept = await this.cache?.read(reference.key);
    if (kept !== undefined) {
      try {
        return this.#decoded(manifest, reference, kept);
      } catch {
        // A cache that is damaged is no cache.
      }
    }
    const stored = await this.#fetch(manifest, reference);
    const extent = this.#decoded(manifest, reference, stored);
    await this.cache?.write(reference.key, stored);
    return extent;
  }

  /** Leaves only the block tables of this backup in the cache. */
  async cacheOnly({ extents }: Manifest): Promise<void> {
    await this.cache?.keepOnly(extents.map(({ key }) => key));
  }

  #decoded(manifest: Manifest, reference: ExtentReference, stored: Buffer): Extent {
    const key = keyOf(manifest, this.keyring);
    const frame = key === undefined ? stored : opened(stored, reference, key.bytes);
    return checked(manifest, reference, unpacked(frame, reference));
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

function opened(stored: Buffer, { key, sha256 }: ExtentReference, encryption: Uint8Array): Buffer {
  try {
    return unseal(encryption, extentPlace(key), stored);
  } catch (error) {
    throw new EiderError('EXTENT_CORRUPT', `The block table ${key} cannot be decrypted: ${messageOf(error)}.`, {
      cause: error,
      details: { extent: sha256 },
    });
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
