import { inOrder } from '../block-pool/in-order.js';
import { EiderError, isEiderError } from '../errors/eider-error.js';
import { type ObjectInfo, REQUESTS_AT_ONCE } from '../object-store/object-store.js';
import { decodeHold, type Hold, HOLD_MS } from '../repository/hold.js';
import {
  EXTENTS_PREFIX,
  HOLDS_PREFIX,
  LOG_PREFIX,
  nameBelow,
  NOTES_PREFIX,
  PENDING_PREFIX,
  recordNumberOf,
} from '../repository/keys.js';
import { readListing } from '../repository/listing.js';
import type { Manifest } from '../repository/manifest.js';
import type { Note } from '../repository/note.js';
import { ReadCache } from '../repository/read-cache.js';
import type { Repository } from '../repository/repository.js';
import type { Reservation } from '../repository/reservation.js';
import { type LogWindow, logWindow } from './log-retention.js';

/** A name in `pending/`. */
export interface Marker {
  readonly modifiedAt: Date;
  /** What it says; undefined where it was not read, since it is old, or has ended meanwhile. */
  readonly reservation: Reservation | undefined;
}

/** Everything that decides what may go, as it was read before anything is removed. */
export interface Inventory {
  /** By key. */
  readonly objects: ReadonlyMap<string, ObjectInfo>;
  /** Newest first. */
  readonly manifests: readonly Manifest[];
  /** By the name of the backup. */
  readonly notes: ReadonlyMap<string, Note>;
  /** By the name that is reserved. */
  readonly markers: ReadonlyMap<string, Marker>;
  /** Those that count, by key. */
  readonly holds: ReadonlyMap<string, Hold>;
  /** What of the log these backups need. */
  readonly log: LogWindow;
}

/** What is read, and what counts as old. */
export interface InventoryScope {
  readonly now: Date;
  /** Markers from before are of backups that were cut off, or whose time is up. */
  readonly graceStart: Date;
  /** How far back every commit stays, ms. */
  readonly windowMs: number;
  /** Lists what has no part in the decision, too. */
  readonly everything: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** How often everything is read again when a backup disappears meanwhile. */
const TRIES = 3;

/** Reads what the repository holds, for retention. Whatever fails is thrown: a part of it decides nothing. */
export class InventoryReader {
  readonly #holds: ReadCache<Hold>;

  constructor(private readonly repository: Repository) {
    this.#holds = new ReadCache(repository.store, decodeHold);
  }

  /** Throws MANIFEST_CORRUPT, REPOSITORY_FORMAT_NEWER, STORE_*. */
  async read(scope: InventoryScope): Promise<Inventory> {
    for (let attempt = 1; ; attempt++) {
      try {
        const found = await this.#read(scope);
        const log = logWindow(found.manifests, scope.windowMs, scope.now);
        const records = await this.#oldRecords(log.horizon, scope.signal);
        return { ...found, objects: new Map([...found.objects, ...records]), log };
      } catch (error) {
        // Another process has removed a backup since it was listed: its marker tells what it needs, once it is listed.
        if (!isEiderError(error, 'BACKUP_NOT_FOUND') || attempt === TRIES) throw error;
      }
    }
  }

  /**
   * The order of the listings matters: markers and holds come behind the manifests. Of a backup that is removed meanwhile the
   * marker is then seen, and of one that somebody read before it was removed the hold. One that is completed meanwhile loses
   * nothing: what it stored is young, or nothing marks it as remains, and what it builds on stays for another day at least.
   */
  async #read({ graceStart, now, everything, signal }: InventoryScope): Promise<Omit<Inventory, 'log'>> {
    const objects = new Map<string, ObjectInfo>();
    const list = async (prefix: string, shallow = false): Promise<ObjectInfo[]> => {
      const found: ObjectInfo[] = [];
      for await (const info of this.repository.store.list(prefix, { shallow, ...(signal && { signal }) })) {
        objects.set(info.key, info);
        found.push(info);
      }
      return found;
    };
    const top = await list('', true);
    await list(PENDING_PREFIX);
    const holds = await this.#liveHolds(await list(HOLDS_PREFIX), now);
    const notes = await this.repository.notes.read(await list(NOTES_PREFIX));
    await list(EXTENTS_PREFIX);
    if (everything) await list('');
    const names = readListing(top, new Map()).backups.map(({ name }) => name);
    const markers = await this.#markers(objects, holds, graceStart);
    const manifests: Manifest[] = [];
    for await (const manifest of inOrder(names, REQUESTS_AT_ONCE, (name) => this.#manifest(name, signal)))
      manifests.push(manifest);
    return { objects, manifests, notes, markers, holds };
  }

  /** Records come in the order of their numbers, so listing ends with the first that stays: there can be 200,000. */
  async #oldRecords(horizon: number, signal: AbortSignal | undefined): Promise<Map<string, ObjectInfo>> {
    const records = new Map<string, ObjectInfo>();
    if (horizon === 0) return records;
    for await (const info of this.repository.store.list(LOG_PREFIX, signal === undefined ? {} : { signal })) {
      if ((recordNumberOf(info.key) ?? 0) >= horizon) break;
      records.set(info.key, info);
    }
    return records;
  }

  async #manifest(name: string, signal: AbortSignal | undefined): Promise<Manifest> {
    signal?.throwIfAborted();
    try {
      return await this.repository.manifests.of(name);
    } catch (error) {
      if (!isEiderError(error, 'MANIFEST_CORRUPT')) throw error;
      throw new EiderError(
        'MANIFEST_CORRUPT',
        `${error.message} Nobody knows what ${name} needs, so nothing is removed: put ${name}.json back from a copy, or give the backup up with DELETE /api/admin/backups/${name}.`,
        { cause: error, details: error.details },
      );
    }
  }

  async #liveHolds(listed: readonly ObjectInfo[], now: Date): Promise<Map<string, Hold>> {
    const holds = new Map<string, Hold>();
    for (const info of listed) {
      if (nameBelow(HOLDS_PREFIX, info.key) === undefined || !isLive(info, now)) continue;
      const hold = await this.#holds.get(info);
      if (hold !== undefined) holds.set(info.key, hold);
    }
    this.#holds.keepOnly(new Set(listed.map(({ key }) => key)));
    return holds;
  }

  /** Old markers are read only where something rests on their backups all the same. */
  async #markers(
    objects: ReadonlyMap<string, ObjectInfo>,
    holds: ReadonlyMap<string, Hold>,
    graceStart: Date,
  ): Promise<Map<string, Marker>> {
    const listed = new Map<string, ObjectInfo>();
    for (const info of objects.values()) {
      const name = nameBelow(PENDING_PREFIX, info.key);
      if (name !== undefined) listed.set(name, info);
    }
    const markers = new Map<string, Marker>();
    const read = async (name: string, info: ObjectInfo): Promise<void> => {
      const reservation = await this.repository.reservations.read(info);
      markers.set(name, { modifiedAt: info.modifiedAt, reservation });
    };
    const wanted = new Set([...holds.values()].map(({ backup }) => backup));
    const young = [...listed].filter(([, { modifiedAt }]) => modifiedAt >= graceStart);
    for await (const _ of inOrder(young, REQUESTS_AT_ONCE, ([name, info]) => read(name, info)));
    for (const { reservation } of markers.values()) if (reservation?.base !== undefined) wanted.add(reservation.base);
    for (const [name, info] of listed) {
      if (markers.has(name)) continue;
      if (wanted.has(name)) await read(name, info);
      else markers.set(name, { modifiedAt: info.modifiedAt, reservation: undefined });
    }
    this.repository.reservations.keepOnly(new Set([...listed.values()].map(({ key }) => key)));
    return markers;
  }
}

/** Whether a hold still counts: it was written, or renewed, within a day. */
export function isLive({ modifiedAt }: ObjectInfo, now: Date): boolean {
  return now.getTime() - modifiedAt.getTime() <= HOLD_MS;
}
