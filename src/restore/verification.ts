import { Injectable } from '@nestjs/common';
import { BackupService } from '../backup/backup.service.js';
import { bytesOf, reportOf, type VerifyMode, type VerifyReport, VerifyService } from '../backup/verify.service.js';
import { NO_PROGRESS, type Progress } from '../operations/operation.js';
import { ProofService } from './proof.service.js';

/** Checks a backup as thoroughly as it is told. One that is damaged is not built on. */
@Injectable()
export class Verification {
  constructor(
    private readonly verifier: VerifyService,
    private readonly proofs: ProofService,
    private readonly backups: BackupService,
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
    const report = await this.#check(text, mode, progress, signal);
    if (!report.ok) this.backups.distrust(report.backup);
    return report;
  }

  async #check(
    text: string,
    mode: VerifyMode,
    progress: Progress,
    signal: AbortSignal | undefined,
  ): Promise<VerifyReport> {
    if (mode === 'quick') return this.verifier.quick(text, signal);
    if (mode === 'full') return this.verifier.verify(text, progress, signal);
    const manifest = await this.verifier.find(text);
    const { why } = await this.proofs.prove(manifest, progress, signal);
    const damages = why === null ? [] : [{ key: manifest.name, why }];
    return reportOf(manifest, 'restore', bytesOf(manifest), damages);
  }
}
