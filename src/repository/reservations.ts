import { randomUUID } from 'node:crypto';
import { isEiderError } from '../errors/eider-error.js';
import type { ObjectInfo, ObjectStore } from '../object-store/object-store.js';
import { manifestKey, nameBelow, PENDING_PREFIX, pendingKey } from './keys.js';
import { ReadCache } from './read-cache.js';
import { decodeReservation, encodeReservation, type Reservation } from './reservation.js';

/** What `pending/` holds: names that a writer has reserved for a backup, and names of backups that ended. */
export class Reservations {
  readonly #cache: ReadCache<Reservation>;

  constructor(
    private readonly store: ObjectStore,
    private readonly now: () => Date,
  ) {
    this.#cache = new ReadCache(store, (key, body) => decodeReservation(nameBelow(PENDING_PREFIX, key) ?? key, body));
  }

  /**
   * Reserves a name for a backup, which may build on another one; false when it is taken.
   *
   * The manifest is looked for once the name is reserved: another process can commit a backup of this name and end its
   * reservation between the two requests, and its pack would then be overwritten.
   */
  async take(name: string, base?: string): Promise<boolean> {
    const body = encodeReservation({ name, since: this.now().toISOString(), id: randomUUID(), base });
    try {
      await this.store.put(pendingKey(name), body, { ifAbsent: true });
    } catch (error) {
      if (isEiderError(error, 'STORE_EXISTS')) return false;
      throw error;
    }
    if ((await this.store.head(manifestKey(name))) === undefined) return true;
    await this.release(name);
    return false;
  }

  /** Whether a name is still marked; retention ends the reservation of a backup after a day. */
  async has(name: string): Promise<boolean> {
    return (await this.store.head(pendingKey(name))) !== undefined;
  }

  /** Ends a reservation. */
  async release(name: string): Promise<void> {
    await this.store.delete(pendingKey(name));
  }

  /**
   * Marks what has this name as no backup any more.
   *
   * @param objects - what restoring it read; none where its pack stays for others alone, undefined where nobody knows
   */
  async markEnded(name: string, objects: readonly string[] | undefined): Promise<void> {
    const since = this.now().toISOString();
    const marker = encodeReservation({ name, since, retired: true, ...(objects && { objects: [...objects] }) });
    await this.store.put(pendingKey(name), marker);
  }

  /** Names, and since when. */
  async names(): Promise<ReadonlyMap<string, Date>> {
    const names = new Map<string, Date>();
    for await (const { key, modifiedAt } of this.store.list(PENDING_PREFIX)) {
      names.set(key.slice(PENDING_PREFIX.length, -'.json'.length), modifiedAt);
    }
    return names;
  }

  /** What one that was listed says; undefined where it has gone since. Throws MANIFEST_CORRUPT. */
  async read(listed: ObjectInfo): Promise<Reservation | undefined> {
    return this.#cache.get(listed);
  }

  /** Forgets what all others say. */
  keepOnly(keys: ReadonlySet<string>): void {
    this.#cache.keepOnly(keys);
  }
}
