import { Injectable } from '../runtime/injection.js';
import { BackupService } from '../backup/backup.service.js';
import { Verdicts } from '../backup/verdicts.js';
import { bytesOf, reportOf, type VerifyReport, VerifyService } from '../backup/verify.service.js';
import { isEiderError } from '../errors/eider-error.js';
import { NO_PROGRESS, type Progress } from '../operations/operation.js';
import type { Manifest } from '../repository/manifest.js';
import type { VerifyMode } from '../repository/note.js';
import { ProofService } from './proof.service.js';

/** What a check ends with where a block table is missing or damaged: without it nothing else can be looked at. */
const TABLE_DAMAGES: ReadonlySet<string> = new Set(['BACKUP_DAMAGED', 'EXTENT_CORRUPT']);

/** Checks a backup as thoroughly as it is told, and writes down what that showed. One that is damaged is not built on. */
@Injectable()
export class Verification {
  constructor(
    private readonly verifier: VerifyService,
    private readonly proofs: ProofService,
    private readonly backups: BackupService,
    private readonly verdicts: Verdicts,
  ) {}

  /**
   * @throws EiderError BACKUP_NOT_FOUND, MANIFEST_CORRUPT, EXTENT_CORRUPT, BACKUP_DAMAGED, STORE_*; RESTORE_NO_SPACE for
   *   `restore`; REQUEST_INVALID for a file without a manifest
   */
  async verify(
    text: string,
    mode: VerifyMode,
    progress: Progress = NO_PROGRESS,
    signal?: AbortSignal,
  ): Promise<VerifyReport> {
    const manifest = await this.verifier.find(text);
    if (mode !== 'restore') return this.#read(manifest, mode, progress, signal);
    const { why } = await this.proofs.prove(manifest, progress, signal);
    const damages = why === null ? [] : [{ key: manifest.name, why }];
    return reportOf(manifest, 'restore', bytesOf(manifest), damages);
  }

  async #read(
    manifest: Manifest,
    mode: 'quick' | 'full',
    progress: Progress,
    signal: AbortSignal | undefined,
  ): Promise<VerifyReport> {
    try {
      const report =
        mode === 'quick'
          ? await this.verifier.quick(manifest, signal)
          : await this.verifier.verify(manifest, progress, signal);
      const [first] = report.damages;
      // That every object is there says too little to be written down.
      if (first !== undefined) await this.#distrust(manifest, mode, `${first.key} ${first.why}`);
      else if (mode === 'full') await this.verdicts.record(manifest, { mode, ok: true, why: null });
      return report;
    } catch (error) {
      if (isEiderError(error) && TABLE_DAMAGES.has(error.code)) await this.#distrust(manifest, mode, error.message);
      throw error;
    }
  }

  async #distrust(manifest: Manifest, mode: VerifyMode, why: string): Promise<void> {
    this.backups.distrust.of(manifest.name);
    await this.verdicts.record(manifest, { mode, ok: false, why });
  }
}
