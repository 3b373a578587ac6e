import { createHash } from 'node:crypto';
import { EiderError, isEiderError } from '../errors/eider-error.js';
import type { ObjectInfo, ObjectStore } from '../object-store/object-store.js';
import { classifyKey, manifestKey } from './keys.js';
import { decodeManifest, encodeManifest, type Manifest } from './manifest.js';
import type { ManifestCache } from './manifest-cache.js';

/** Manifests never change, so they are read once. About 2 KiB each, and 100 bytes for each pack. */
const MANIFESTS_KEPT = 5_000;

/** Manifests are kept in memory up to this many packs in all: about 125 bytes each. */
const PACKS_KEPT = 200_000;

/** The manifests of a repository: in the store, those that were read in memory, and the last own one in a cache, too. */
export class ManifestStore {
  readonly #read = new Map<string, Manifest>();
  #packs = 0;
  #recalled = false;

  constructor(
    private readonly store: ObjectStore,
    private readonly cache: ManifestCache | undefined,
  ) {}

  /** The manifest of a backup. Throws BACKUP_NOT_FOUND, MANIFEST_CORRUPT, REPOSITORY_FORMAT_NEWER. */
  async of(name: string): Promise<Manifest> {
    return this.#read.get(name) ?? (await this.readAgain(name));
  }

  /** As `of`, always from the store: for whoever checks what that holds. */
  async readAgain(name: string): Promise<Manifest> {
    this.#forget(name);
    let body: Buffer;
    try {
      body = await this.store.read(manifestKey(name));
    } catch (error) {
      if (!isEiderError(error, 'STORE_NOT_FOUND') && !isEiderError(error, 'STORE_KEY_INVALID')) throw error;
      throw new EiderError('BACKUP_NOT_FOUND', `There is no backup called ${JSON.stringify(name)}.`, { cause: error });
    }
    return this.#remember(decodeManifest(name, body));
  }

  /** Whether a backup of this name is complete, and not being removed. */
  async exists(name: string): Promise<boolean> {
    return (await this.store.head(manifestKey(name))) !== undefined;
  }

  /** The commit of a backup: from here on it exists. */
  async commit(manifest: Manifest): Promise<void> {
    const body = encodeManifest(manifest);
    await this.store.put(manifestKey(manifest.name), body, { ifAbsent: true });
    this.#remember(manifest);
    await this.cache?.write(body);
  }

  /** Ends a backup: it is in no list any more. */
  async delete(name: string): Promise<void> {
    await this.store.delete(manifestKey(name));
    this.#forget(name);
  }

  /**
   * Takes the manifest in the cache for one that was read, once, where a listing shows that the store holds these very bytes.
   *
   * The ETag in the listing says so: it is their MD5. So a cache that is damaged, older, or of another repository counts for
   * nothing, nor does one whose backup has been removed. A store that has other ETags is read; a folder has, and costs no more.
   */
  async recall(listed: Iterable<ObjectInfo>): Promise<void> {
    if (this.#recalled) return;
    this.#recalled = true;
    const body = await this.cache?.read();
    if (body === undefined) return;
    for (const { key, size, etag } of listed) {
      if (size !== body.byteLength || !isMd5Of(body, etag)) continue;
      const found = classifyKey(key);
      if (found.kind === 'manifest') this.#rememberWhole(found.name, body);
    }
  }

  /** What is wrong with a manifest in the store is told to whoever asks for it. */
  #rememberWhole(name: string, body: Buffer): void {
    try {
      this.#remember(decodeManifest(name, body));
    } catch {
      // It is read again then.
    }
  }

  #remember(manifest: Manifest): Manifest {
    this.#forget(manifest.name);
    this.#read.set(manifest.name, manifest);
    this.#packs += manifest.packs.length;
    for (const oldest of this.#read.keys()) {
      if (this.#read.size <= MANIFESTS_KEPT && this.#packs <= PACKS_KEPT) break;
      this.#forget(oldest);
    }
    return manifest;
  }

  #forget(name: string): void {
    this.#packs -= this.#read.get(name)?.packs.length ?? 0;
    this.#read.delete(name);
  }
}

/** Asked only where an ETag has the form of one, since a system may refuse MD5 altogether. */
function isMd5Of(body: Buffer, etag: string | undefined): boolean {
  const digest = /^"?([0-9a-f]{32})"?$/i.exec(etag ?? '')?.[1];
  return digest !== undefined && createHash('md5').update(body).digest('hex') === digest.toLowerCase();
}
