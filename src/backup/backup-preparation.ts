import { Logger } from '../runtime/injection.js';
import type { Compression } from '../block-pool/codec.js';
import type { BackupConfig } from '../config/backup.config.js';
import type { EncryptionKey } from '../encryption/encryption-key.js';
import { isEiderError } from '../errors/eider-error.js';
import { type BackupName, compareBackupNames, formatBackupName, nextBackupName } from '../repository/backup-name.js';
import { partKeysOf } from '../repository/keys.js';
import type { Listing } from '../repository/listing.js';
import type { Manifest, Trigger } from '../repository/manifest.js';
import type { Repository } from '../repository/repository.js';
import type { Clock } from '../runtime/clock.js';
import type { BackupRequest } from './backup-request.js';
import { BaseBackup } from './base-backup.js';
import { reasonForFull } from './full-or-incremental.js';
import { formOf } from './image-upload.js';
import { wornPacks } from './worn-packs.js';

/** A shutdown has a deadline, and a restore holds writes off meanwhile. */
const HURRIED: ReadonlySet<Trigger> = new Set(['shutdown', 'pre-restore']);

/** What is wrong with the newest backup itself, rather than with the store. */
const UNUSABLE_BASE: ReadonlySet<string> = new Set([
  'MANIFEST_CORRUPT',
  'EXTENT_CORRUPT',
  'BACKUP_DAMAGED',
  'BACKUP_NOT_FOUND',
]);

const NONE: ReadonlySet<string> = new Set();

/** A name that is taken for a backup, and what that builds on. */
export interface ReservedBackup {
  readonly name: string;
  readonly base: BaseBackup | undefined;
  /** Somebody waits for it. */
  readonly hurried: boolean;
}

/** What happens in the repository before a backup's bytes are stored: a base is chosen and a name taken. */
export class BackupPreparation {
  readonly #logger = new Logger('Backup');
  /** Names are not used twice: what is left of a failed attempt may still arrive in the store. */
  #last: BackupName | undefined;

  constructor(
    private readonly config: BackupConfig,
    private readonly repository: Repository,
    private readonly clock: Clock,
  ) {}

  get compression(): Compression {
    return this.config.compress ? 'zstd' : 'none';
  }

  /** The key under which backups are stored; undefined where they are not encrypted. */
  get encryption(): EncryptionKey | undefined {
    return this.repository.keyring.writing;
  }

  /**
   * The newest backup, where the next one may build on it; a full one is taken where it cannot. Packs of which little is used are
   * left out, unless somebody waits.
   *
   * @param distrusted - a backup that was found not to be restorable: nothing is built on anything then
   */
  async base(
    request: BackupRequest,
    listing: Listing,
    distrusted: string | undefined,
  ): Promise<BaseBackup | undefined> {
    if (request.full === true) return undefined;
    try {
      const manifest = await this.repository.newest(listing.backups);
      if (manifest === undefined) return undefined;
      const found =
        distrusted === undefined
          ? await this.#baseOn(manifest, request, listing)
          : { reason: `${distrusted} cannot be restored` };
      if ('base' in found) return found.base;
      this.#logger.log(`a full backup is taken: ${found.reason}`);
    } catch (error) {
      if (!isEiderError(error) || !UNUSABLE_BASE.has(error.code)) throw error;
      this.#logger.warn(`a full backup is taken, since the newest one cannot be built on: ${error.message}`);
    }
    return undefined;
  }

  /** Takes a name, and makes sure that what the backup builds on stays until it is complete. */
  async reserve(request: BackupRequest, listing: Listing, base: BaseBackup | undefined): Promise<ReservedBackup> {
    const stem = request.trigger === 'manual' ? this.config.manualStem : this.config.stem;
    let newest = later(listing.backups[0]?.parsed, this.#last);
    for (;;) {
      const next = nextBackupName(stem, this.clock.now(), newest);
      this.#last = next;
      const name = formatBackupName(next);
      const taken =
        listing.foreign.some((foreign) => foreign.name.startsWith(`${name}.duckdb`)) ||
        partKeysOf(name).some((key) => listing.objects.has(key));
      if (!taken && (await this.repository.reservations.take(name, base?.manifest.name))) {
        // Looked at after the reservation is there: whoever removes the base looks the other way round.
        const isThere = base !== undefined && (await this.repository.manifests.exists(base.manifest.name));
        return { name, base: isThere ? base : undefined, hurried: HURRIED.has(request.trigger) };
      }
      newest = next;
    }
  }

  /** Removes what a failed backup left, its reservation last: whatever cannot be removed now is then never listed. */
  async discard(name: string): Promise<void> {
    for (const key of partKeysOf(name, formOf(this))) await this.repository.store.delete(key);
    await this.repository.reservations.release(name);
  }

  async #baseOn(
    manifest: Manifest,
    request: BackupRequest,
    listing: Listing,
  ): Promise<{ base: BaseBackup } | { reason: string }> {
    const base = new BaseBackup(manifest, this.repository);
    const use = await base.packUse();
    const hurried = HURRIED.has(request.trigger);
    const worn = hurried ? NONE : wornPacks(manifest.packs, use);
    const { compression, encryption, config } = this;
    const rules = { compression, keyId: encryption?.id, fullEveryMs: config.fullEveryMs, hurried };
    const reason = reasonForFull({ manifest, use, worn, sizes: listing.objects }, rules, this.clock.now());
    return reason === undefined ? { base: base.without(worn) } : { reason };
  }
}

function later(a: BackupName | undefined, b: BackupName | undefined): BackupName | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareBackupNames(a, b) > 0 ? a : b;
}
