import { Inject, Injectable, Logger } from '@nestjs/common';
import { BackupScheduler } from '../backup/backup-scheduler.js';
import { BackupService } from '../backup/backup.service.js';
import { closeDatabase } from '../backup/close-database.js';
import { backupConfig, type BackupConfig } from '../config/backup.config.js';
import { encryptionConfig, type EncryptionConfig } from '../config/encryption.config.js';
import { unknownVariables } from '../config/unknown-variables.js';
import { CheckpointWatcher } from '../database/checkpoint-watcher.js';
import { DatabaseService } from '../database/database.service.js';
import { Migrator } from '../database/migrator.js';
import { Seeder } from '../database/seeder.js';
import { messageOf } from '../errors/eider-error.js';
import { Lineage } from '../lineage/lineage.js';
import { ReplicationLoop } from '../replication/replication-loop.js';
import { ReplicationService } from '../replication/replication.service.js';
import { RestoreAtStart, type StartOutcome } from '../restore/restore-at-start.js';
import { ProofScheduler } from '../restore/proof-scheduler.js';
import { ProofService } from '../restore/proof.service.js';
import { LateDecision } from '../restore/late-decision.js';

/** What must happen before the service serves: restore, open, migrate, seed; then the schedules. */
@Injectable()
export class StartupService {
  readonly #logger = new Logger('Start');
  #outcome: StartOutcome | undefined;

  constructor(
    @Inject(backupConfig.KEY) private readonly config: BackupConfig,
    @Inject(encryptionConfig.KEY) private readonly encryption: EncryptionConfig,
    private readonly restore: RestoreAtStart,
    private readonly late: LateDecision,
    readonly database: DatabaseService,
    readonly lineage: Lineage,
    private readonly migrator: Migrator,
    private readonly seeder: Seeder,
    readonly backups: BackupService,
    private readonly scheduler: BackupScheduler,
    private readonly checkpoints: CheckpointWatcher,
    private readonly replication: ReplicationService,
    private readonly shipping: ReplicationLoop,
    private readonly proofs: ProofService,
    private readonly proofScheduler: ProofScheduler,
  ) {}

  /** What the start decided and did; undefined before `open`. Served in health. */
  get outcome(): StartOutcome | undefined {
    return this.#outcome;
  }

  /** Brings the database back where that is needed, opens it and brings its schema up to date. */
  async open(): Promise<void> {
    this.#warnOfVariables();
    const outcome = await this.restore.run();
    this.#outcome = outcome;
    if (outcome.newest !== undefined) this.backups.noteNewest(outcome.newest);
    this.backups.requireBeforeShipping(() => this.late.settle(outcome.decision));
    await this.proofs.recall(outcome.newest);
    await this.database.open();
    await this.lineage.begin({ path: this.database.path, identifier: this.database.files.header().identifier });
    await this.#connect();
    await this.#migrate(outcome.decision.action === 'create');
    await this.seeder.seed();
  }

  /** Starts what runs by itself while the service serves: checkpoints, backups, and their proofs. */
  beginSchedules(): void {
    this.checkpoints.start();
    this.shipping.start();
    this.scheduler.start();
    if (this.config.enabled) this.proofScheduler.start();
  }

  /** Closes what `open` has opened: the start failed after all. Its own failure is only logged, beside that one. */
  async close(): Promise<void> {
    try {
      if (this.database.isOpen) await closeDatabase(this, true);
    } catch (error) {
      this.#logger.error(`the database could not be closed: ${messageOf(error)}`);
    }
  }

  /** Before anything is written or folded: what a crash left unshipped is shipped first. Later, where the store does not answer. */
  async #connect(): Promise<void> {
    try {
      await this.replication.connect();
      await this.replication.ship();
    } catch (error) {
      this.replication.noteFailure(error);
      this.#logger.warn(`commits are not shipped yet: ${messageOf(error)}`);
    }
  }

  async #migrate(isNew: boolean): Promise<void> {
    const { pending } = await this.migrator.plan();
    if (pending.length === 0) return;
    if (!isNew && this.config.enabled) await this.#backUpBeforeMigration();
    await this.migrator.migrate();
  }

  /** A migration is one transaction and takes itself back; the backup is for what a correct one turns out to have broken. */
  async #backUpBeforeMigration(): Promise<void> {
    try {
      await this.backups.create({ trigger: 'migration', onlyIfChanged: true });
    } catch (error) {
      this.#logger.warn(`no backup could be taken before the migration, which goes on: ${messageOf(error)}`);
    }
  }

  #warnOfVariables(): void {
    for (const name of unknownVariables(process.env))
      this.#logger.warn(`${name} is no variable of Eider: it is ignored`);
    if (this.config.retentionFromDeprecatedName) {
      this.#logger.warn('BACKUP_RETENTION_DAYS is deprecated: use R2_BACKUP_RETENTION_DAYS');
    }
    if (this.encryption.warning !== undefined) this.#logger.warn(this.encryption.warning);
    if (!this.config.enabled) this.#logger.warn('BACKUP_ENABLED=false: no backups are taken, nothing is protected');
  }
}
