import { Injectable, Logger } from '../runtime/injection.js';
import { BackupService } from '../backup/backup.service.js';
import { Verdicts } from '../backup/verdicts.js';
import { isEiderError, messageOf } from '../errors/eider-error.js';
import { NO_PROGRESS, type Progress } from '../operations/operation.js';
import type { Manifest } from '../repository/manifest.js';
import { Clock } from '../runtime/clock.js';
import { type Proof, readProof, writeProof } from './proof-record.js';
import { RestoreService } from './restore.service.js';

/** Failures that are the backup's own, rather than the store's or the disk's. */
const DAMAGES: ReadonlySet<string> = new Set([
  'BACKUP_DAMAGED',
  'EXTENT_CORRUPT',
  'MANIFEST_CORRUPT',
  'RESTORE_CHECK_FAILED',
]);

/** What keeps a check from its end, and tells nothing of the backup: the kernel kills what takes too much memory. */
const NOT_ITS_FAULT = /out of memory|no space left|ENOSPC|ended with SIGKILL/i;

/** Proves backups by restoring them beside the database, as a restore would, and throwing the copy away. */
@Injectable()
export class ProofService {
  readonly #logger = new Logger('Proof');
  #last: Proof | undefined;

  constructor(
    private readonly restores: RestoreService,
    private readonly backups: BackupService,
    private readonly verdicts: Verdicts,
    private readonly clock: Clock,
  ) {}

  /** The last proof of what was the newest backup, or of any that failed; undefined before the first. */
  get last(): Proof | undefined {
    return this.#last;
  }

  /** Whether the last one failed and there is a newer backup now, which may be good. */
  get isOvertaken(): boolean {
    return this.#last?.ok === false && this.backups.status.last?.name !== this.#last.backup;
  }

  /** Reads what an earlier process found; what is known of the newest backup also after the disk was lost. */
  async recall(newest?: Manifest): Promise<void> {
    this.#last = await readProof(this.restores.database);
    if (this.#last?.ok === false) this.backups.distrust.of(this.#last.backup);
    if (newest !== undefined) await this.backups.distrust.lookAtVerdict(newest.name);
  }

  /**
   * Restores a backup on trial: every block is checked against its SHA-256, the file is opened in a process of its own, its log
   * replayed, every value read, every table counted. One that fails is not built on, and the next backup is a full one.
   *
   * @throws EiderError RESTORE_NO_SPACE, STORE_*: nothing is known of the backup then
   */
  async prove(manifest: Manifest, progress: Progress = NO_PROGRESS, signal?: AbortSignal): Promise<Proof> {
    const started = this.clock.monotonicMs();
    const why = await this.#tryOut(manifest, progress, signal);
    const durationMs = Math.round(this.clock.monotonicMs() - started);
    const at = this.clock.now().toISOString();
    const proof: Proof = { format: 1, backup: manifest.name, at, ok: why === null, why, durationMs };
    if (why === null) this.#logger.log(`${manifest.name} is proven: it was restored on trial in ${durationMs} ms`);
    else {
      this.#logger.error(`${manifest.name} cannot be restored: ${why}`);
      this.backups.distrust.of(manifest.name);
    }
    await this.verdicts.record(manifest, { mode: 'restore', ok: proof.ok, why });
    // One of an older backup tells nothing of the newest, unless it failed: they may share what is damaged.
    if (!proof.ok || manifest.name === (await this.restores.newestName())) {
      this.#last = proof;
      await writeProof(this.restores.database, proof);
    }
    return proof;
  }

  async #tryOut(manifest: Manifest, progress: Progress, signal: AbortSignal | undefined): Promise<string | null> {
    try {
      await this.restores.tryOut(manifest, progress, signal);
      return null;
    } catch (error) {
      const why = messageOf(error);
      if (!isEiderError(error) || !DAMAGES.has(error.code) || NOT_ITS_FAULT.test(why)) throw error;
      // It was removed meanwhile: that is no damage. Throws BACKUP_NOT_FOUND.
      await this.restores.requireListed(manifest.name);
      return why;
    }
  }
}
