import { isEiderError } from '../errors/eider-error.js';
import type { ObjectInfo, ObjectStore } from '../object-store/object-store.js';

interface Entry<T> {
  readonly version: string;
  readonly value: T;
}

/** Small objects that seldom change: each is read once, and again where a listing shows that it is another one. */
export class ReadCache<T> {
  readonly #entries = new Map<string, Entry<T>>();

  constructor(
    private readonly store: ObjectStore,
    private readonly decode: (key: string, body: Buffer) => T,
  ) {}

  /**
   * The object that was listed; undefined where it has gone since.
   *
   * @throws what `decode` throws, STORE_*
   */
  async get({ key, etag, modifiedAt }: ObjectInfo): Promise<T | undefined> {
    // Bytes that come back have the old ETag, but not the old time.
    const version = etag === undefined ? undefined : `${etag} ${modifiedAt.getTime()}`;
    const known = this.#entries.get(key);
    if (known !== undefined && known.version === version) return known.value;
    this.#entries.delete(key);
    let body: Buffer;
    try {
      body = await this.store.read(key);
    } catch (error) {
      if (isEiderError(error, 'STORE_NOT_FOUND')) return undefined;
      throw error;
    }
    const value = this.decode(key, body);
    if (version !== undefined) this.#entries.set(key, { version, value });
    return value;
  }

  /** Forgets all others. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const key of this.#entries.keys()) if (!keys.has(key)) this.#entries.delete(key);
  }
}
