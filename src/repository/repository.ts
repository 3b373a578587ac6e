import type { BackupConfig } from '../config/backup.config.js';
import { Keyring } from '../encryption/keyring.js';
import { Clock } from '../runtime/clock.js';
import { EiderError, isEiderError } from '../errors/eider-error.js';
import type { ExtentCache } from './extent-cache.js';
import type { ObjectInfo, ObjectStore } from '../object-store/object-store.js';
import { ExtentStore } from './extent-store.js';
import { Holds } from './holds.js';
import { backupNameOf, REPOSITORY_KEY } from './keys.js';
import { type ForeignBackup, type ListedBackup, type Listing, readListing } from './listing.js';
import { Log } from './log.js';
import type { Manifest } from './manifest.js';
import type { ManifestCache } from './manifest-cache.js';
import { ManifestStore } from './manifest-store.js';
import type { RestorePoint } from './point-in-time.js';
import { Reservations } from './reservations.js';
import { NoteStore } from './note-store.js';
import {
  checkOwner,
  decodeRepositoryRecord,
  encodeRepositoryRecord,
  type RepositoryRecord,
} from './repository-record.js';

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
  readonly manifests: ManifestStore;
  readonly reservations: Reservations;
  readonly log: Log;
  readonly #foreign = new Set<string>();
  #claimed = false;

  constructor(
    readonly store: ObjectStore,
    private readonly owner: Pick<BackupConfig, 'environment' | 'stem'>,
    private readonly now: () => Date = () => new Date(),
    /** Beside the database: what the next backup builds on. */
    caches: { readonly manifest?: ManifestCache; readonly extents?: ExtentCache } = {},
    /** Keys of encrypted backups. */
    readonly keyring: Keyring = Keyring.EMPTY,
    every: Clock['every'] = (ms, work) => new Clock().every(ms, work),
  ) {
    this.notes = new NoteStore(store);
    this.holds = new Holds(store, { now, every });
    this.reservations = new Reservations(store, now);
    this.manifests = new ManifestStore(store, caches.manifest);
    this.extents = new ExtentStore(store, caches.extents, keyring);
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
    const pending = await this.reservations.names();
    const objects: ObjectInfo[] = [];
    for await (const info of this.store.list('', { shallow: true })) objects.push(info);
    await this.manifests.recall(objects);
    const listing = readListing(objects, pending);
    return { ...listing, foreign: await this.#confirmed(listing.foreign) };
  }

  /** What a name given by a user stands for. Throws as `manifests.of` does. */
  async find(text: string): Promise<FoundBackup> {
    const listing = await this.list();
    const name = backupNameOf(text);
    if (listing.backups.some((backup) => backup.name === name)) {
      return { kind: 'eider', manifest: await this.manifests.of(name) };
    }
    const foreign = listing.foreign.find((candidate) => candidate.name === text);
    if (foreign !== undefined) return { kind: 'foreign', foreign };
    throw new EiderError('BACKUP_NOT_FOUND', `There is no backup called ${JSON.stringify(text)}.`);
  }

  /** The newest backup of the main history; forks are left out. Undefined where there is none. */
  async newest(backups: readonly ListedBackup[]): Promise<Manifest | undefined> {
    for (const { name } of backups) {
      const manifest = await this.manifests.of(name);
      if (!manifest.fork) return manifest;
    }
    return undefined;
  }

  /** The name of the newest backup of the main history; one whose manifest is damaged may be of it, so it counts. */
  async newestName(backups: readonly ListedBackup[]): Promise<string | undefined> {
    for (const { name } of backups) {
      try {
        if (!(await this.manifests.of(name)).fork) return name;
      } catch (error) {
        if (!isEiderError(error, 'MANIFEST_CORRUPT')) throw error;
        return name;
      }
    }
    return undefined;
  }

  /**
   * Ends a backup: what is left of its name is marked as no backup, then its manifest goes. What it needs stays for as long
   * as the marker is young. Idempotent.
   *
   * @param objects - what restoring it reads; undefined where its manifest cannot be read
   */
  async retire(name: string, objects: readonly string[] | undefined): Promise<void> {
    await this.reservations.markEnded(name, objects);
    await this.manifests.delete(name);
    // Its writer may have ended its own reservation only now: the pack would then pass for a file that somebody put there.
    if (!(await this.reservations.has(name))) await this.reservations.markEnded(name, objects);
  }

  /** Leaves out packs of a backup that began between the two listings: each file is looked at once. */
  async #confirmed(candidates: readonly ForeignBackup[]): Promise<ForeignBackup[]> {
    const confirmed: ForeignBackup[] = [];
    for (const candidate of candidates) {
      const name = backupNameOf(candidate.name);
      if (!this.#foreign.has(candidate.name)) {
        if (await this.reservations.has(name)) continue;
        if (await this.manifests.exists(name)) continue;
        this.#foreign.add(candidate.name);
      }
      confirmed.push(candidate);
    }
    return confirmed;
  }
}
