import { Injectable } from '../runtime/injection.js';
import { BlockPool } from '../block-pool/block-pool.js';
import { NO_PROGRESS, type Progress } from '../operations/operation.js';
import { type Damage, ImageReader } from '../repository/image-reader.js';
import { keyOf } from '../repository/backup-key.js';
import type { Manifest } from '../repository/manifest.js';
import type { VerifyMode } from '../repository/note.js';
import { Repository } from '../repository/repository.js';
import { ownBackup } from './own-backup.js';

/** What checking a backup showed. */
export interface VerifyReport {
  readonly backup: string;
  readonly mode: VerifyMode;
  readonly ok: boolean;
  /** Bytes of the database and its log that were checked. */
  readonly bytes: number;
  readonly damages: readonly Damage[];
}

/** Most damages that a report lists. */
const DAMAGES_SHOWN = 100;

/** Checks what the store holds of a backup. */
@Injectable()
export class VerifyService {
  readonly #reader: ImageReader;

  constructor(
    private readonly repository: Repository,
    pool: BlockPool,
  ) {
    this.#reader = new ImageReader(repository, pool);
  }

  /**
   * The manifest of a backup that can be checked.
   *
   * @throws EiderError BACKUP_NOT_FOUND, MANIFEST_CORRUPT; REQUEST_INVALID for a file without a manifest, which has no
   *   hashes to be checked against
   */
  async find(text: string): Promise<Manifest> {
    const without = ', so there is nothing to check it against; restore it to a file instead.';
    return ownBackup(this.repository, text, without);
  }

  /**
   * Checks the manifest, every block and the log of a backup, as the store holds them now, against their SHA-256.
   *
   * @throws EiderError those of `find`, EXTENT_CORRUPT, BACKUP_DAMAGED, ENCRYPTION_KEY_MISSING, STORE_*
   */
  async verify(
    backup: string | Manifest,
    progress: Progress = NO_PROGRESS,
    signal?: AbortSignal,
  ): Promise<VerifyReport> {
    const { name } = typeof backup === 'string' ? await this.find(backup) : backup;
    const manifest = await this.repository.manifests.readAgain(name);
    // Before a hold is written: without its key nothing of it can be read.
    keyOf(manifest, this.repository.keyring);
    const bytes = bytesOf(manifest);
    progress.step('read');
    progress.total(bytes);
    const read = async (): Promise<Damage[]> => [
      ...(await this.#reader.readWal(manifest, undefined, signal)),
      ...(await this.#reader.readMain(manifest, undefined, progress, signal)).damages,
    ];
    const damages = await this.repository.holds.during(manifest.name, 'verify', read, signal);
    return reportOf(manifest, 'full', bytes, damages);
  }

  /**
   * Looks whether every object of a backup is there, packs and log with the length that the manifest says. Reads none.
   *
   * @throws EiderError STORE_*
   */
  async quick(manifest: Manifest, signal?: AbortSignal): Promise<VerifyReport> {
    const { packs, extents, wal } = manifest;
    const expected: { readonly key: string; readonly length?: number }[] = [
      ...packs,
      ...extents.map(({ key }) => ({ key })),
      ...(wal === null ? [] : [{ key: wal.key, length: wal.stored }]),
    ];
    const damages: Damage[] = [];
    for (const { key, length } of expected) {
      const info = await this.repository.store.head(key, signal === undefined ? {} : { signal });
      if (info === undefined) damages.push({ key, why: 'is missing' });
      else if (length !== undefined && info.size !== length) {
        damages.push({ key, why: `has ${info.size} bytes in place of ${length}` });
      }
    }
    return reportOf(manifest, 'quick', 0, damages);
  }
}

/** Bytes of the database and its log. */
export function bytesOf({ database, wal }: Manifest): number {
  return database.size + (wal?.length ?? 0);
}

export function reportOf(
  { name }: Manifest,
  mode: VerifyMode,
  bytes: number,
  damages: readonly Damage[],
): VerifyReport {
  return { backup: name, mode, ok: damages.length === 0, bytes, damages: damages.slice(0, DAMAGES_SHOWN) };
}
