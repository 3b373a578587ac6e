import { Inject, Injectable, Logger } from '@nestjs/common';
import { BackupScheduler } from '../backup/backup-scheduler.js';
import { BackupService } from '../backup/backup.service.js';
import { closeDatabase } from '../backup/close-database.js';
import { BlockPool } from '../block-pool/block-pool.js';
import { backupConfig, type BackupConfig } from '../config/backup.config.js';
import { serviceConfig, type ServiceConfig } from '../config/service.config.js';
import { CheckpointWatcher } from '../database/checkpoint-watcher.js';
import { DatabaseService } from '../database/database.service.js';
import { EiderError, messageOf } from '../errors/eider-error.js';
import { RequestGate } from '../http/request-gate.js';
import { Lineage } from '../lineage/lineage.js';
import { OBJECT_STORE, type ObjectStore } from '../object-store/object-store.js';
import { ProofScheduler } from '../restore/proof-scheduler.js';
import { OperationsService } from '../operations/operations.service.js';

/**
 * How long requests in flight may take to end, ms. Those that write are waited for again at the write gate, so this is only
 * for the others; a client that never ends its request must not eat the time of the last backup.
 */
const REQUEST_DRAIN_MS = 3_000;

/** Parts of SHUTDOWN_TIMEOUT_SECONDS that requests and writes may use up at most: the rest is for the last backup. */
const SHARE = { requests: 0.15, writes: 0.3 } as const;

const OUT_OF_TIME = new EiderError('SHUTTING_DOWN', 'The time of the shutdown has passed.');

/** Ends the service without losing a commit. */
@Injectable()
export class ShutdownService {
  readonly #logger = new Logger('Shutdown');
  #run: Promise<boolean> | undefined;

  constructor(
    @Inject(backupConfig.KEY) private readonly backupRules: BackupConfig,
    @Inject(serviceConfig.KEY) private readonly service: Pick<ServiceConfig, 'shutdownTimeoutMs'>,
    @Inject(OBJECT_STORE) private readonly store: ObjectStore,
    private readonly requests: RequestGate,
    private readonly scheduler: BackupScheduler,
    private readonly checkpoints: CheckpointWatcher,
    private readonly proofs: ProofScheduler,
    private readonly operations: OperationsService,
    readonly database: DatabaseService,
    readonly backups: BackupService,
    readonly lineage: Lineage,
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
    signal.addEventListener('abort', () => this.backups.giveUp(OUT_OF_TIME), { once: true });
    this.requests.beginShutdown();
    // A backup under way is waited for: given up now, it would only be taken again.
    this.operations.abortAll('the service is shutting down', 'backup');
    await this.proofs.stop();
    await this.scheduler.stop();
    await this.checkpoints.stop();
    await this.requests.drain(Math.min(REQUEST_DRAIN_MS, this.service.shutdownTimeoutMs * SHARE.requests));
    await this.operations.idle();
    const saved = this.database.isOpen ? await this.#save(signal) : true;
    await this.pool.close();
    await this.store.close();
    return saved;
  }

  async #save(signal: AbortSignal): Promise<boolean> {
    let saved = false;
    try {
      await this.database.pauseWrites('the service is shutting down', this.service.shutdownTimeoutMs * SHARE.writes);
      saved = await this.#lastBackup(signal);
    } catch (error) {
      this.#logger.error(messageOf(error));
    }
    await closeDatabase(this, saved);
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
        `the last backup failed; the database file stays as it is, and the next start on this disk ships what is missing: ${messageOf(error)}`,
      );
      return false;
    }
  }
}
