import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BackupCatalog } from '../../src/backup/backup-catalog.js';
import { BackupService } from '../../src/backup/backup.service.js';
import { RetentionService } from '../../src/backup/retention.service.js';
import { Verdicts } from '../../src/backup/verdicts.js';
import { VerifyService } from '../../src/backup/verify.service.js';
import { BlockPool } from '../../src/block-pool/block-pool.js';
import { backupConcern } from '../../src/config/backup.config.js';
import { encryptionConcern } from '../../src/config/encryption.config.js';
import { databaseConcern } from '../../src/config/database.config.js';
import { type ReplicationConfig, replicationConcern } from '../../src/config/replication.config.js';
import { restoreConcern } from '../../src/config/restore.config.js';
import { DatabaseService } from '../../src/database/database.service.js';
import type { Session } from '../../src/database/session.js';
import { Migrator } from '../../src/database/migrator.js';
import { Lineage } from '../../src/lineage/lineage.js';
import { FilesystemObjectStore } from '../../src/object-store/filesystem/filesystem-object-store.js';
import type { ObjectStore } from '../../src/object-store/object-store.js';
import { extentCacheOf, manifestCacheOf } from '../../src/database/database-files.js';
import { ExtentCache } from '../../src/repository/extent-cache.js';
import { ManifestCache } from '../../src/repository/manifest-cache.js';
import { Repository } from '../../src/repository/repository.js';
import { LateDecision } from '../../src/restore/late-decision.js';
import { OfflineRestore } from '../../src/restore/offline-restore.js';
import { OnlineRestore } from '../../src/restore/online-restore.service.js';
import { ProofScheduler } from '../../src/restore/proof-scheduler.js';
import { ProofService } from '../../src/restore/proof.service.js';
import { Verification } from '../../src/restore/verification.js';
import { RestoreAtStart, type StartOutcome } from '../../src/restore/restore-at-start.js';
import { ReplicationLoop } from '../../src/replication/replication-loop.js';
import { ReplicationService } from '../../src/replication/replication.service.js';
import { RestoreService } from '../../src/restore/restore.service.js';
import { Clock } from '../../src/runtime/clock.js';

/** A clock that stands still until it is moved, except for durations. */
export class TestClock extends Clock {
  readonly #turns = new Set<{ next: number; readonly ms: number; readonly work: () => void }>();

  constructor(private time = new Date('2026-01-01T00:00:00Z')) {
    super();
  }

  override now(): Date {
    return this.time;
  }

  /** What was to be done in the time that passes is begun, once for each turn of it. */
  advance(ms: number): void {
    this.time = new Date(this.time.getTime() + ms);
    for (const turn of this.#turns) {
      for (; turn.next <= this.time.getTime(); turn.next += turn.ms) turn.work();
    }
  }

  override every(ms: number, work: () => void): () => void {
    const turn = { next: this.time.getTime() + ms, ms, work };
    this.#turns.add(turn);
    return () => this.#turns.delete(turn);
  }
}

/** A folder of its own for one test, removed by `remove`. */
export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'eider-test-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** A checkpoint in a form that is not recognised. */
export async function foreignCheckpoint(session: Session): Promise<void> {
  await session.run('SELECT * FROM "checkpoint"()');
}

/** What a core shares with others, or has of its own. */
export interface CoreParts {
  /** Threads of several cores of one test; each has its own otherwise. */
  readonly pool?: BlockPool;
  /** Another folder than `database/`, for migrations of a test. */
  readonly sqlFolder?: string;
  /** Limits that would take a test too long to reach. */
  readonly replication?: Partial<Pick<ReplicationConfig, 'mostUnshippedBytes'>>;
}

/** The core of Eider, wired by hand as CoreModule wires it, around one database and one store. */
export class TestCore {
  readonly pool: BlockPool;
  readonly lineage = new Lineage();
  readonly database: DatabaseService;
  readonly repository: Repository;
  readonly backups: BackupService;
  readonly catalog: BackupCatalog;
  readonly retention: RetentionService;
  readonly verify: VerifyService;
  readonly restores: RestoreService;
  readonly online: OnlineRestore;
  readonly offline: OfflineRestore;
  readonly start: RestoreAtStart;
  readonly late: LateDecision;
  readonly proofs: ProofService;
  readonly proofScheduler: ProofScheduler;
  readonly verification: Verification;
  readonly replication: ReplicationService;
  readonly shipping: ReplicationLoop;

  constructor(
    readonly folder: string,
    readonly store: ObjectStore = new FilesystemObjectStore({ folder: join(folder, 'repository'), prefix: 'backups/' }),
    env: Record<string, string> = {},
    readonly clock: TestClock = new TestClock(),
    private readonly parts: CoreParts = {},
  ) {
    this.pool = parts.pool ?? new BlockPool();
    const variables = {
      NODE_ENV: 'test',
      DUCKDB_PATH: join(folder, 'hesocial.duckdb'),
      WRITE_DRAIN_TIMEOUT_MS: '2000',
      // Most tests are of backups alone.
      R2_WAL_SYNC_INTERVAL_MS: '0',
      ...env,
    };
    const databaseRules = databaseConcern.parse(variables);
    const backupRules = backupConcern.parse(variables);
    const restoreRules = restoreConcern.parse(variables);
    const replicationRules = { ...replicationConcern.parse(variables), ...parts.replication };
    this.database = new DatabaseService(databaseRules, clock);
    this.repository = new Repository(
      store,
      backupRules,
      () => clock.now(),
      {
        manifest: new ManifestCache(manifestCacheOf(this.database.path)),
        extents: new ExtentCache(extentCacheOf(this.database.path)),
      },
      encryptionConcern.parse(variables).keyring,
      (ms, work) => clock.every(ms, work),
    );
    this.backups = new BackupService(backupRules, this.database, this.repository, this.lineage, clock, this.pool);
    this.catalog = new BackupCatalog(this.repository);
    this.retention = new RetentionService(backupRules, replicationRules, this.repository, clock);
    this.verify = new VerifyService(this.repository, this.pool);
    this.restores = new RestoreService(databaseRules, restoreRules, this.repository, clock, this.pool, this.database);
    const verdicts = new Verdicts(this.repository, clock);
    const migrator = new Migrator(this.database, clock, parts.sqlFolder);
    this.online = new OnlineRestore(this.restores, this.database, this.backups, this.lineage, migrator, clock);
    this.offline = new OfflineRestore(this.restores, clock);
    this.start = new RestoreAtStart(restoreRules, this.restores, this.offline, this.repository, this.pool);
    this.late = new LateDecision(restoreRules, this.database, this.repository, this.lineage);
    this.proofs = new ProofService(this.restores, this.backups, verdicts, clock);
    this.proofScheduler = new ProofScheduler(restoreRules, this.proofs, this.repository, clock);
    this.verification = new Verification(this.verify, this.proofs, this.backups, verdicts);
    this.replication = new ReplicationService(
      backupRules,
      replicationRules,
      this.database,
      this.backups,
      this.repository,
      this.lineage,
      this.pool,
      clock,
    );
    this.shipping = new ReplicationLoop(replicationRules, this.replication, this.backups, this.database, clock);
  }

  /** Opens the database as it is. */
  async open(): Promise<void> {
    await this.database.open();
    await this.lineage.begin({ path: this.database.path, identifier: this.database.files.header().identifier });
  }

  /** What a start does before it migrates: decide, restore, open. */
  async boot(): Promise<StartOutcome> {
    const outcome = await this.start.run();
    await this.open();
    this.backups.requireBeforeShipping(() => this.late.settle(outcome.decision));
    return outcome;
  }

  /** Closes the database and ends the threads; the store stays. */
  async close(): Promise<void> {
    await this.database.close();
    this.lineage.end();
    if (this.parts.pool === undefined) await this.pool.close();
  }

  /** Runs statements that write, one after the other. */
  async write(...statements: string[]): Promise<void> {
    for (const statement of statements) await this.database.write((session) => session.run(statement));
  }

  /** A checkpoint that Eider does not know of. */
  async foreignCheckpoint(): Promise<void> {
    await this.database.write(foreignCheckpoint);
  }

  /** One number out of the database. */
  async number(sql: string): Promise<number> {
    const row = await this.database.read((session) => session.first<Record<string, unknown>>(sql));
    return Number(Object.values(row ?? {})[0]);
  }
}
