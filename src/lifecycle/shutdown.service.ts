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
import { ReplicationLoop } from '../replication/replication-loop.js';
import { ReplicationService } from '../replication/replication.service.js';
import { abortable } from '../runtime/abortable.js';
import { ProofScheduler } from '../restore/proof-scheduler.js';
import { OperationsService } from '../operations/operations.service.js';

/**
 * How long requests in flight may take to end, ms. Those that write are waited for again at the write gate, so this is only
 * for the others; a client that never ends its request must not eat the time of the last backup.
 */
const REQUEST_DRAIN_MS = 3_000;

/** Parts of SHUTDOWN_TIMEOUT_SECONDS that others may use up at most: the rest is for the last backup. */
const SHARE = { requests: 0.15, operations: 0.2, writes: 0.3 } as const;

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
    private readonly replication: ReplicationService,
    private readonly shipping: ReplicationLoop,
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
    const proofs = this.proofs.stop();
    await this.scheduler.stop();
    await this.checkpoints.stop();
    await this.#atMost(SHARE.operations, this.shipping.stop());
    await this.requests.drain(Math.min(REQUEST_DRAIN_MS, this.service.shutdownTimeoutMs * SHARE.requests));
    // They were aborted. One that hangs on the store must not keep the last backup from being taken; a backup under way and
    // the swap of a restore are waited for by what follows.
    await this.#atMost(SHARE.operations, Promise.all([proofs, this.operations.idle()]));
    await this.backups.idle();
    const saved = this.database.isOpen ? await this.#save(signal) : true;
    await this.pool.close();
    await this.store.close();
    return saved;
  }

  async #save(signal: AbortSignal): Promise<boolean> {
    const ended = await this.#pauseWrites();
    // Nobody waits for their answers any more, and the last backup needs a connection.
    this.database.interruptReads();
    // What could not be ended was not acknowledged; everything that was is in the backup.
    const saved = (await this.#lastBackup(signal)) && ended;
    await this.#closeTurn(signal);
    try {
      await closeDatabase(this, saved);
      return saved;
    } catch (error) {
      this.#logger.error(`the database could not be closed, which does it no harm: ${messageOf(error)}`);
      return false;
    }
  }

  async #pauseWrites(): Promise<boolean> {
    try {
      await this.database.pauseWrites('the service is shutting down', this.service.shutdownTimeoutMs * SHARE.writes);
      return true;
    } catch (error) {
      this.#logger.error(messageOf(error));
      return false;
    }
  }

  /** Ships what is left where there was no backup, and tells the log that this turn is over. */
  async #closeTurn(signal: AbortSignal): Promise<void> {
    try {
      await abortable(this.replication.stop(signal), signal);
    } catch (error) {
      this.#logger.warn(`the log was not closed: ${messageOf(error)}`);
    }
  }

  /** Waits for work, but not longer than for a share of the time. */
  async #atMost(share: number, work: Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#logger.warn('something that was to end does not, and is left behind');
        resolve();
      }, this.service.shutdownTimeoutMs * share);
    });
    await Promise.race([work, late]);
    clearTimeout(timer);
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
