import { Inject, Injectable, Logger } from '@nestjs/common';
import { BackupScheduler } from '../backup/backup-scheduler.js';
import { BackupService } from '../backup/backup.service.js';
import { BlockPool } from '../block-pool/block-pool.js';
import { backupConfig, type BackupConfig } from '../config/backup.config.js';
import { databaseConfig, type DatabaseConfig } from '../config/database.config.js';
import { CheckpointWatcher } from '../database/checkpoint-watcher.js';
import { DatabaseService } from '../database/database.service.js';
import { inspectDatabaseFile } from '../database/inspect.js';
import { messageOf } from '../errors/eider-error.js';
import { RequestGate } from '../http/request-gate.js';
import { Lineage } from '../lineage/lineage.js';
import { OBJECT_STORE, type ObjectStore } from '../object-store/object-store.js';
import { OperationsService } from '../operations/operations.service.js';

/** Ends the service without losing a commit. */
@Injectable()
export class ShutdownService {
  readonly #logger = new Logger('Shutdown');
  #run: Promise<boolean> | undefined;

  constructor(
    @Inject(backupConfig.KEY) private readonly backupRules: BackupConfig,
    @Inject(databaseConfig.KEY) private readonly databaseRules: DatabaseConfig,
    @Inject(OBJECT_STORE) private readonly store: ObjectStore,
    private readonly requests: RequestGate,
    private readonly scheduler: BackupScheduler,
    private readonly checkpoints: CheckpointWatcher,
    private readonly operations: OperationsService,
    private readonly database: DatabaseService,
    private readonly backups: BackupService,
    private readonly lineage: Lineage,
    private readonly pool: BlockPool,
  ) {}

  /**
   * Stops everything in order: requests, schedules, writes, the last backup, the database.
   *
   * Idempotent; joins the run in flight.
   *
   * @param signal - aborted at the deadline: the last backup is given up, the database is closed all the same
   * @returns whether everything committed is in the repository (or backups are turned off)
   */
  async run(signal: AbortSignal): Promise<boolean> {
    this.#run ??= this.#shutDown(signal);
    return this.#run;
  }

  async #shutDown(signal: AbortSignal): Promise<boolean> {
    this.requests.beginShutdown();
    await this.scheduler.stop();
    await this.checkpoints.stop();
    this.operations.abortAll('the service is shutting down');
    await this.operations.idle();
    await this.requests.drain(this.databaseRules.writeDrainTimeoutMs);
    if (!this.database.isOpen) return true;
    const { drained, inFlight } = await this.database.writeGate.close('the service is shutting down', {
      drainMs: this.databaseRules.writeDrainTimeoutMs,
    });
    if (!drained) this.#logger.warn(`${inFlight} writes did not end in time and are rolled back`);
    const saved = await this.#lastBackup(signal);
    await this.#close(saved);
    return saved;
  }

  async #lastBackup(signal: AbortSignal): Promise<boolean> {
    if (!this.backupRules.enabled) return true;
    try {
      const outcome = await this.backups.create(
        { trigger: 'shutdown', onlyIfChanged: true, checkpointTimeoutMs: 5_000 },
        undefined,
        signal,
      );
      this.#logger.log(
        outcome.created ? `everything is in ${outcome.manifest.name}` : `everything is in ${outcome.newest} already`,
      );
      return true;
    } catch (error) {
      this.#logger.error(
        `the last backup failed: ${messageOf(error)} The database file is whole and stays as it is; the next start on this disk ships what is missing.`,
      );
      return false;
    }
  }

  /** Closing folds the log: the same content is then found at another position, which must not count as a change. */
  async #close(saved: boolean): Promise<void> {
    const unchanged = saved && this.lineage.isKnown && !(await this.backups.hasUnsavedChanges());
    await this.database.close();
    const file = await inspectDatabaseFile(this.database.path);
    if (unchanged && file.kind === 'ok') await this.lineage.moved(file.position);
    this.lineage.end();
    await this.pool.close();
    await this.store.close();
  }
}
