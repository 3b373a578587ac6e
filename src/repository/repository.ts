import { randomUUID } from 'node:crypto';
import type { BackupConfig } from '../config/backup.config.js';
import { Keyring } from '../encryption/keyring.js';
import { Clock } from '../runtime/clock.js';
import { EiderError, isEiderError } from '../errors/eider-error.js';
import type { ExtentCache } from './extent-cache.js';
import type { ObjectInfo, ObjectStore } from '../object-store/object-store.js';
import { ExtentStore } from './extent-store.js';
import { Holds } from './holds.js';
import { backupNameOf, manifestKey, nameBelow, PENDING_PREFIX, pendingKey, REPOSITORY_KEY } from './keys.js';
import { type ForeignBackup, type ListedBackup, type Listing, readListing } from './listing.js';
import { Log } from './log.js';
import { decodeManifest, encodeManifest, type Manifest } from './manifest.js';
import type { RestorePoint } from './point-in-time.js';
import { decodeReservation, encodeReservation, type Reservation } from './reservation.js';
import { NoteStore } from './note-store.js';
import { ReadCache } from './read-cache.js';
import {
  checkOwner,
  decodeRepositoryRecord,
  encodeRepositoryRecord,
  type RepositoryRecord,
} from './repository-record.js';

/** Manifests never change, so they are read once. About 2 KiB each, and 100 bytes for each pack. */
const MANIFESTS_KEPT = 5_000;

/** Manifests are kept in memory up to this many packs in all: about 125 bytes each. */
const PACKS_KEPT = 200_000;

/** What a name stands for: a backup of ours, or a database file that somebody put there. */
export type FoundBackup =
  | {
      readonly kind: 'eider';
      readonly manifest: Manifest;
      /** A point behind (or, in its own log, before) this backup, with what it takes to get there. */
      readonly point?: RestorePoint;
    }
  | { readonly kind: 'foreign'; readonly foreign: ForeignBackup };

/** The backups of one database in one store: the bucket format, without any scheduling. */
export class Repository {
  readonly extents: ExtentStore;
  readonly notes: NoteStore;
  readonly holds: Holds;
  /** What `pending/` holds. */
  readonly reservations: ReadCache<Reservation>;
  readonly log: Log;
  readonly #manifests = new Map<string, Manifest>();
  #packs = 0;
  readonly #foreign = new Set<string>();
  #claimed = false;

  constructor(
    readonly store: ObjectStore,
    private readonly owner: Pick<BackupConfig, 'environment' | 'stem'>,
    private readonly now: () => Date = () => new Date(),
    cache?: ExtentCache,
    /** Keys of encrypted backups. */
    readonly keyring: Keyring = Keyring.EMPTY,
    every: Clock['every'] = (ms, work) => new Clock().every(ms, work),
  ) {
    this.notes = new NoteStore(store);
    this.holds = new Holds(store, { now, every });
    this.reservations = new ReadCache(store, (key, body) =>
      decodeReservation(nameBelow(PENDING_PREFIX, key) ?? key, body),
    );
    this.extents = new ExtentStore(store, cache, keyring);
    this.log = new Log(store);
  }

  /** repository.json, or undefined where nothing was ever written. Throws when it belongs to somebody else. */
  async inspect(): Promise<RepositoryRecord | undefined> {
    let body: Buffer;
    try {
      body = await this.store.read(REPOSITORY_KEY);
    } catch (error) {
      if (isEiderError(error, 'STORE_NOT_FOUND')) return undefined;
      throw error;
    }
    const record = decodeRepositoryRecord(body);
    checkOwner(record, this.owner.environment, this.owner.stem, this.store.description);
    return record;
  }

  /** Makes sure that this service may write here; the first one to come creates repository.json. */
  async claim(): Promise<void> {
    if (this.#claimed) return;
    if ((await this.inspect()) === undefined) {
      const body = encodeRepositoryRecord(this.owner.environment, this.owner.stem, this.now());
      try {
        await this.store.put(REPOSITORY_KEY, body, { ifAbsent: true });
      } catch (error) {
        if (!isEiderError(error, 'STORE_EXISTS')) throw error;
      }
      await this.inspect();
    }
    this.#claimed = true;
  }

  /** All backups, with two LIST requests per thousand objects. */
  async list(): Promise<Listing> {
    // Reservations first: a backup that completes between the two listings is then seen with its manifest.
    const pending = await this.pending();
    const objects: ObjectInfo[] = [];
    for await (const info of this.store.list('', { shallow: true })) objects.push(info);
    const listing = readListing(objects, pending);
    return { ...listing, foreign: await this.#confirmed(listing.foreign) };
  }

  /** The manifest of a backup. Throws BACKUP_NOT_FOUND, MANIFEST_CORRUPT, REPOSITORY_FORMAT_NEWER. */
  async manifest(name: string): Promise<Manifest> {
    const known = this.#manifests.get(name);
    if (known !== undefined) return known;
    let body: Buffer;
    try {
      body = await this.store.read(manifestKey(name));
    } catch (error) {
      if (!isEiderError(error, 'STORE_NOT_FOUND') && !isEiderError(error, 'STORE_KEY_INVALID')) throw error;
      throw new EiderError('BACKUP_NOT_FOUND', `There is no backup called ${JSON.stringify(name)}.`, { cause: error });
    }
    return this.#remember(decodeManifest(name, body));
  }

  /** What a name given by a user stands for. Throws as `manifest` does. */
  async find(text: string): Promise<FoundBackup> {
    const listing = await this.list();
    const name = backupNameOf(text);
    if (listing.backups.some((backup) => backup.name === name)) {
      return { kind: 'eider', manifest: await this.manifest(name) };
    }
    const foreign = listing.foreign.find((candidate) => candidate.name === text);
    if (foreign !== undefined) return { kind: 'foreign', foreign };
    throw new EiderError('BACKUP_NOT_FOUND', `There is no backup called ${JSON.stringify(text)}.`);
  }

  /** The newest backup of the main history; forks are left out. Undefined where there is none. */
  async newest(backups: readonly ListedBackup[]): Promise<Manifest | undefined> {
    for (const { name } of backups) {
      const manifest = await this.manifest(name);
      if (!manifest.fork) return manifest;
    }
    return undefined;
  }

  /** The name of the newest backup of the main history; one whose manifest is damaged may be of it, so it counts. */
  async newestName(backups: readonly ListedBackup[]): Promise<string | undefined> {
    for (const { name } of backups) {
      try {
        if (!(await this.manifest(name)).fork) return name;
      } catch (error) {
        if (!isEiderError(error, 'MANIFEST_CORRUPT')) throw error;
        return name;
      }
    }
    return undefined;
  }

  /**
   * Reserves a name for a backup, which may build on another one; false when it is taken.
   *
   * The manifest is looked for once the name is reserved: another process can commit a backup of this name and end its
   * reservation between the two requests, and its pack would then be overwritten.
   */
  async reserve(name: string, base?: string): Promise<boolean> {
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

  /**
   * Ends a backup: what is left of its name is marked as no backup, then its manifest goes. What it needs stays for as long
   * as the marker is young. Idempotent.
   *
   * @param objects - what restoring it reads; undefined where its manifest cannot be read
   */
  async retire(name: string, objects: readonly string[] | undefined): Promise<void> {
    const since = this.now().toISOString();
    const marker = encodeReservation({ name, since, retired: true, ...(objects && { objects: [...objects] }) });
    await this.store.put(pendingKey(name), marker);
    await this.store.delete(manifestKey(name));
    this.#forget(name);
    // Its writer may have ended its own reservation only now: the pack would then pass for a file that somebody put there.
    if ((await this.store.head(pendingKey(name))) === undefined) await this.store.put(pendingKey(name), marker);
  }

  /** Marks a name whose pack other backups need as no backup, where nothing does any more. */
  async mark(name: string): Promise<void> {
    const since = this.now().toISOString();
    await this.store.put(pendingKey(name), encodeReservation({ name, since, retired: true, objects: [] }));
  }

  /** Ends a reservation. */
  async release(name: string): Promise<void> {
    await this.store.delete(pendingKey(name));
  }

  /** Whether the reservation of a backup is still there; retention ends it after a day. */
  async isReserved(name: string): Promise<boolean> {
    return (await this.store.head(pendingKey(name))) !== undefined;
  }

  /** Whether a backup of this name is complete, and not being removed. */
  async exists(name: string): Promise<boolean> {
    return (await this.store.head(manifestKey(name))) !== undefined;
  }

  /** Names in `pending/`, and since when. */
  async pending(): Promise<Listing['pending']> {
    const pending = new Map<string, Date>();
    for await (const info of this.store.list(PENDING_PREFIX)) {
      pending.set(info.key.slice(PENDING_PREFIX.length, -'.json'.length), info.modifiedAt);
    }
    return pending;
  }

  /** The commit of a backup: from here on it exists. */
  async commit(manifest: Manifest): Promise<void> {
    await this.store.put(manifestKey(manifest.name), encodeManifest(manifest), { ifAbsent: true });
    this.#remember(manifest);
  }

  /** Leaves out packs of a backup that began between the two listings: each file is looked at once. */
  async #confirmed(candidates: readonly ForeignBackup[]): Promise<ForeignBackup[]> {
    const confirmed: ForeignBackup[] = [];
    for (const candidate of candidates) {
      const name = backupNameOf(candidate.name);
      if (!this.#foreign.has(candidate.name)) {
        if ((await this.store.head(pendingKey(name))) !== undefined) continue;
        if ((await this.store.head(manifestKey(name))) !== undefined) continue;
        this.#foreign.add(candidate.name);
      }
      confirmed.push(candidate);
    }
    return confirmed;
  }

  #remember(manifest: Manifest): Manifest {
    this.#forget(manifest.name);
    this.#manifests.set(manifest.name, manifest);
    this.#packs += manifest.packs.length;
    for (const oldest of this.#manifests.keys()) {
      if (this.#manifests.size <= MANIFESTS_KEPT && this.#packs <= PACKS_KEPT) break;
      this.#forget(oldest);
    }
    return manifest;
  }

  #forget(name: string): void {
    this.#packs -= this.#manifests.get(name)?.packs.length ?? 0;
    this.#manifests.delete(name);
  }
}
