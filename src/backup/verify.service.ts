import { Injectable } from '@nestjs/common';
import { BlockPool } from '../block-pool/block-pool.js';
import { NO_PROGRESS, type Progress } from '../operations/operation.js';
import { type Damage, ImageReader } from '../repository/image-reader.js';
import { Repository } from '../repository/repository.js';
import { ownBackup } from './own-backup.js';

/** What reading a backup back showed. */
export interface VerifyReport {
  readonly backup: string;
  readonly ok: boolean;
  /** Bytes of the database and its log that were checked. */
  readonly bytes: number;
  readonly damages: readonly Damage[];
}

/** Most damages that a report lists. */
const DAMAGES_SHOWN = 100;

/** Reads backups back and checks every byte. */
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
   * Checks every block and the log of a backup against their SHA-256.
   *
   * @throws EiderError BACKUP_NOT_FOUND, MANIFEST_CORRUPT, EXTENT_CORRUPT, STORE_*; REQUEST_INVALID for a file without a
   *   manifest, which has no hashes to be checked against
   */
  async verify(text: string, progress: Progress = NO_PROGRESS, signal?: AbortSignal): Promise<VerifyReport> {
    const without = ', so there is nothing to check it against; restore it to a file instead.';
    const manifest = await ownBackup(this.repository, text, without);
    const bytes = manifest.database.size + (manifest.wal?.length ?? 0);
    progress.step('read');
    progress.total(bytes);
    const damages = [
      ...(await this.#reader.readWal(manifest, undefined, signal)),
      ...(await this.#reader.readMain(manifest, undefined, progress, signal)),
    ];
    return { backup: manifest.name, ok: damages.length === 0, bytes, damages: damages.slice(0, DAMAGES_SHOWN) };
  }
}
