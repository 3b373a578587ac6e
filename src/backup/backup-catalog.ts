import { Injectable } from '../runtime/injection.js';
import { inOrder } from '../block-pool/in-order.js';
import { EiderError } from '../errors/eider-error.js';
import { REQUESTS_AT_ONCE } from '../object-store/object-store.js';
import type { ForeignBackup, Listing } from '../repository/listing.js';
import type { Manifest, Trigger } from '../repository/manifest.js';
import type { Note, Verdict } from '../repository/note.js';
import { Repository } from '../repository/repository.js';
import { ownBackup } from './own-backup.js';

/** A backup as the API and the command line show it: its manifest, with label and pin as they are now. */
export interface BackupView extends Manifest {
  readonly source: 'eider';
  /** What its last check showed; null before the first. */
  readonly verified: Verdict | null;
}

/** The newest backup, shown in the place of one that was asked for and not taken: it holds the same commits. */
export interface UnchangedBackupView extends BackupView {
  readonly unchanged: true;
}

/** A database file without a manifest: only its size and time are known. */
export interface ForeignBackupView {
  readonly source: 'foreign';
  readonly name: string;
  readonly encoding: ForeignBackup['encoding'];
  readonly createdAt: string;
  readonly bytes: { readonly stored: number };
}

/** A manifest that cannot be read: shown, so that nobody counts on it. */
export interface DamagedBackupView {
  readonly source: 'damaged';
  readonly name: string;
  readonly createdAt: string;
  readonly code: string;
  readonly message: string;
}

export type AnyBackupView = BackupView | ForeignBackupView | DamagedBackupView;

export interface CatalogQuery {
  /** At most this many; 50 where absent. */
  readonly limit?: number | undefined;
  /** The name after which to go on. */
  readonly cursor?: string | undefined;
  readonly trigger?: Trigger | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
}

export interface CatalogPage {
  readonly backups: readonly AnyBackupView[];
  /** Give it as `cursor` for the next page; null on the last one. */
  readonly next: string | null;
}

/** Reads what the repository holds, for people. */
@Injectable()
export class BackupCatalog {
  constructor(private readonly repository: Repository) {}

  /** Newest first. Throws REQUEST_INVALID for a cursor that names no backup. */
  async page(query: CatalogQuery = {}): Promise<CatalogPage> {
    const listing = await this.repository.list();
    const entries = entriesOf(listing).filter(
      ({ time }) =>
        (query.since === undefined || time >= query.since) && (query.until === undefined || time <= query.until),
    );
    const start = query.cursor === undefined ? 0 : entries.findIndex(({ name }) => name === query.cursor) + 1;
    if (query.cursor !== undefined && start === 0) {
      throw new EiderError('REQUEST_INVALID', `The cursor ${JSON.stringify(query.cursor)} names no backup.`);
    }
    const notes = await this.repository.notes.all();
    const limit = query.limit ?? 50;
    const backups: AnyBackupView[] = [];
    for await (const view of inOrder(entries.slice(start), REQUESTS_AT_ONCE, (entry) => this.#view(entry, notes))) {
      if (query.trigger !== undefined && !(view.source === 'eider' && view.trigger === query.trigger)) continue;
      if (backups.length === limit) return { backups, next: backups.at(-1)?.name ?? null };
      backups.push(view);
    }
    return { backups, next: null };
  }

  /** One backup, by its name or the name of its pack. Throws BACKUP_NOT_FOUND, MANIFEST_CORRUPT. */
  async show(text: string): Promise<BackupView | ForeignBackupView> {
    const found = await this.repository.find(text);
    if (found.kind === 'foreign') return foreignView(found.foreign);
    return viewOf(found.manifest, await this.repository.notes.of(found.manifest.name));
  }

  /** What whoever asked for a backup is shown where none was taken. Throws BACKUP_NOT_FOUND, MANIFEST_CORRUPT. */
  async unchanged(newest: string): Promise<UnchangedBackupView> {
    const [manifest, note] = await Promise.all([
      this.repository.manifests.of(newest),
      this.repository.notes.of(newest),
    ]);
    return { unchanged: true, ...viewOf(manifest, note) };
  }

  /**
   * Sets label and pin; what is not given stays.
   *
   * @throws EiderError BACKUP_NOT_FOUND, MANIFEST_CORRUPT; REQUEST_INVALID for a file without a manifest
   */
  async annotate(
    text: string,
    change: { label?: string | null | undefined; pinned?: boolean | undefined },
  ): Promise<BackupView> {
    const without = ': it can be given no label and no pin, and is never removed by Eider.';
    const manifest = await ownBackup(this.repository, text, without);
    await this.repository.claim();
    const note = await this.repository.notes.change(manifest, (before) => ({
      ...before,
      label: change.label === undefined ? before.label : change.label,
      pinned: change.pinned ?? before.pinned,
    }));
    return viewOf(manifest, note);
  }

  async #view(entry: Entry, notes: ReadonlyMap<string, Note>): Promise<AnyBackupView> {
    if (entry.foreign !== undefined) return foreignView(entry.foreign);
    try {
      return viewOf(await this.repository.manifests.of(entry.name), notes.get(entry.name));
    } catch (error) {
      if (!(error instanceof EiderError) || !DAMAGE.has(error.code)) throw error;
      const { code, message } = error;
      return { source: 'damaged', name: entry.name, createdAt: entry.time.toISOString(), code, message };
    }
  }
}

/** Errors that concern one manifest, not the store. */
const DAMAGE = new Set(['MANIFEST_CORRUPT', 'REPOSITORY_FORMAT_NEWER', 'BACKUP_NOT_FOUND']);

interface Entry {
  readonly name: string;
  readonly time: Date;
  readonly foreign?: ForeignBackup;
}

function entriesOf(listing: Listing): Entry[] {
  const own: Entry[] = listing.backups.map(({ name, parsed }) => ({ name, time: parsed.time }));
  const foreign = listing.foreign.map((item) => ({ name: item.name, time: item.createdAt, foreign: item }));
  // Both are in order already; sorting is stable, so backups of the same second keep theirs.
  return [...own, ...foreign].toSorted((a, b) => b.time.getTime() - a.time.getTime());
}

/** A backup with what became known of it later. */
export function viewOf(manifest: Manifest, note?: Note): BackupView {
  return { source: 'eider', ...manifest, verified: null, ...note };
}

function foreignView({ name, encoding, createdAt, size }: ForeignBackup): ForeignBackupView {
  return { source: 'foreign', name, encoding, createdAt: createdAt.toISOString(), bytes: { stored: size } };
}
