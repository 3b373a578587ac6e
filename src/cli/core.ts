import { BackupCatalog } from '../backup/backup-catalog.js';
import { BackupService } from '../backup/backup.service.js';
import { RetentionService } from '../backup/retention.service.js';
import { Verdicts } from '../backup/verdicts.js';
import { VerifyService } from '../backup/verify.service.js';
import { BlockPool } from '../block-pool/block-pool.js';
import { backupConcern } from '../config/backup.config.js';
import { databaseConcern } from '../config/database.config.js';
import { encryptionConcern } from '../config/encryption.config.js';
import { replicationConcern } from '../config/replication.config.js';
import { restoreConcern } from '../config/restore.config.js';
import { storeConcern } from '../config/store.config.js';
import type { Environment } from '../config/concern.js';
import { DatabaseService } from '../database/database.service.js';
import { Lineage } from '../lineage/lineage.js';
import { createObjectStore } from '../object-store/create-object-store.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { createRepository } from '../repository/create-repository.js';
import { OfflineRestore } from '../restore/offline-restore.js';
import { ProofService } from '../restore/proof.service.js';
import { RestoreAtStart } from '../restore/restore-at-start.js';
import { RestoreService } from '../restore/restore.service.js';
import { Verification } from '../restore/verification.js';
import { Clock } from '../runtime/clock.js';

/**
 * The services of CoreModule for one command, wired by hand: Nest takes 0.4 s of processor time to start, longer than most
 * commands work. Nothing happens when it is created.
 */
export class Core {
  readonly #clock = new Clock();
  readonly lineage = new Lineage();
  readonly database;
  readonly repository;
  readonly catalog;
  readonly backups;
  readonly retention;
  readonly restores;
  readonly offline;
  readonly start;
  readonly verification;

  private constructor(
    readonly store: ObjectStore,
    private readonly pool: BlockPool,
    env: Environment,
  ) {
    const database = databaseConcern.parse(env);
    const backup = backupConcern.parse(env);
    const restore = restoreConcern.parse(env);
    const clock = this.#clock;
    this.database = new DatabaseService(database, clock);
    this.repository = createRepository(store, backup, database, encryptionConcern.parse(env), clock);
    this.catalog = new BackupCatalog(this.repository);
    this.backups = new BackupService(backup, this.database, this.repository, this.lineage, clock, pool);
    this.retention = new RetentionService(backup, replicationConcern.parse(env), this.repository, clock);
    this.restores = new RestoreService(database, restore, this.repository, clock, pool, this.database);
    this.offline = new OfflineRestore(this.restores, clock);
    this.start = new RestoreAtStart(restore, this.restores, this.offline, this.repository, pool);
    const verdicts = new Verdicts(this.repository, clock);
    const proofs = new ProofService(this.restores, this.backups, verdicts, clock);
    this.verification = new Verification(new VerifyService(this.repository, pool), proofs, this.backups, verdicts);
  }

  /** @throws InvalidVariables */
  static async create(env: Environment): Promise<Core> {
    const pool = new BlockPool();
    return new Core(await createObjectStore(storeConcern.parse(env), pool), pool, env);
  }

  /** Ends the threads and the connections to the store. */
  async close(): Promise<void> {
    await this.pool.close();
    await this.store.close();
  }
}
