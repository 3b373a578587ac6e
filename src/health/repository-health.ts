import { Inject, Injectable } from '@nestjs/common';
import { BackupScheduler } from '../backup/backup-scheduler.js';
import { BackupService } from '../backup/backup.service.js';
import { RetentionService } from '../backup/retention.service.js';
import { backupConfig, type BackupConfig } from '../config/backup.config.js';
import { encryptionConfig, type EncryptionConfig } from '../config/encryption.config.js';
import { replicationConfig, type ReplicationConfig } from '../config/replication.config.js';
import { restoreConfig, type RestoreConfig } from '../config/restore.config.js';
import { ProofScheduler } from '../restore/proof-scheduler.js';
import { ProofService } from '../restore/proof.service.js';
import { DatabaseService } from '../database/database.service.js';
import { Lineage } from '../lineage/lineage.js';
import { LateDecision } from '../restore/late-decision.js';
import { ReplicationService } from '../replication/replication.service.js';
import { Clock } from '../runtime/clock.js';
import type { HealthReport } from './health-report.js';
import { assessRepository, type NotBackedUp, type RepositoryFacts } from './repository-assessment.js';
import { StoreProbe } from './store-probe.js';

/** Looks at backups and their store. */
@Injectable()
export class RepositoryHealth {
  constructor(
    @Inject(backupConfig.KEY) private readonly config: BackupConfig,
    @Inject(encryptionConfig.KEY) private readonly encryption: EncryptionConfig,
    private readonly backups: BackupService,
    private readonly scheduler: BackupScheduler,
    private readonly retention: RetentionService,
    private readonly database: DatabaseService,
    private readonly lineage: Lineage,
    private readonly late: LateDecision,
    private readonly probe: StoreProbe,
    @Inject(restoreConfig.KEY) private readonly restoreRules: RestoreConfig,
    private readonly proofs: ProofService,
    private readonly proofScheduler: ProofScheduler,
    private readonly replication: ReplicationService,
    @Inject(replicationConfig.KEY) private readonly shipping: ReplicationConfig,
    private readonly clock: Clock,
  ) {}

  async look(): Promise<HealthReport> {
    const facts = await this.#facts();
    return { findings: assessRepository(facts), facts: { ...facts } };
  }

  async #facts(): Promise<RepositoryFacts> {
    const { status } = this.backups;
    const { intervalMs } = this.config;
    const probe = status.enabled ? await this.probe.look() : null;
    const age = status.last === null ? null : this.clock.now().getTime() - Date.parse(status.last.createdAt);
    return {
      ...status,
      store: this.probe.description,
      probe,
      conditionalWrites: this.probe.conditionalWrites,
      lastBackupAgeSeconds: age === null ? null : Math.round(age / 1000),
      intervalSeconds: intervalMs / 1000,
      nextBackupAt: status.enabled && intervalMs > 0 ? this.scheduler.nextDueAt().toISOString() : null,
      notBackedUp: await this.#notBackedUp(),
      conflict: this.late.conflict ?? null,
      encryptionKeyId: this.encryption.keyring.writing?.id ?? null,
      deletesDenied: this.retention.lastReport?.denied.length ?? 0,
      retentionError: this.retention.lastError,
      replication: this.#replication(),
      ...this.#proofs(),
    };
  }

  #replication(): RepositoryFacts['replication'] {
    const { status } = this.replication;
    const since = status.waitingSince;
    const lag = since === null ? 0 : Math.max(0, this.clock.now().getTime() - Date.parse(since));
    return { ...status, lagMs: lag, syncIntervalMs: this.shipping.syncIntervalMs };
  }

  #proofs(): Pick<RepositoryFacts, 'lastProof' | 'lastProofAgeSeconds' | 'proofIntervalSeconds' | 'proofError'> {
    const { last } = this.proofs;
    const age = last === undefined ? null : this.clock.now().getTime() - Date.parse(last.at);
    return {
      lastProof: last === undefined ? null : { backup: last.backup, at: last.at, ok: last.ok, why: last.why },
      lastProofAgeSeconds: age === null ? null : Math.round(age / 1000),
      proofIntervalSeconds: this.restoreRules.verifyEveryMs / 1000,
      proofError: this.proofScheduler.error,
    };
  }

  async #notBackedUp(): Promise<NotBackedUp | null> {
    if (!this.database.isOpen || !this.lineage.isKnown) return null;
    const { files } = this.database;
    // Before anything is waited for: the database may be closed for a restore meanwhile.
    const [commitsInWal, walBytes] = [files.commitsInLog(), files.wal()?.size ?? 0];
    return { changes: await this.backups.hasUnsavedChanges(), commitsInWal, walBytes };
  }
}
