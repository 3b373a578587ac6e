import { Inject, Injectable, Logger } from '@nestjs/common';
import type { DuckDBConnection } from '@duckdb/node-api';
import { resolve } from 'node:path';
import { databaseConfig, type DatabaseConfig } from '../config/database.config.js';
import { EiderError, messageOf } from '../errors/eider-error.js';
import type { FilePosition } from '../duckdb-format/file-position.js';
import { Clock } from '../runtime/clock.js';
import { CheckpointControl, type FoldObserver } from './checkpoint-control.js';
import { ConnectionPool } from './connection-pool.js';
import type { DatabaseDescriptors } from './database-descriptors.js';
import { Engine } from './engine.js';
import { prepareFile } from './prepare-file.js';
import { isConflict, isFatal } from './query-error.js';
import { ConnectionSession, type Session } from './session.js';
import { countTables, hashTables, type TableCount, type TableHash } from './table-counts.js';
import { type UnitOfWork, type WorkKind, WorkRegistry } from './work-registry.js';
import { WriteGate } from './write-gate.js';

export interface QueryOptions {
  /** Bound on the whole work, ms; DUCKDB_QUERY_TIMEOUT_MS where absent, 0 for none. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface TransactionOptions extends QueryOptions {
  /** How often to begin again after a conflict with another transaction; 0 where absent. The work must allow it. */
  readonly retries?: number;
  /** Passes the closed write gate: for whoever brings the database up to date before writers are let in. */
  readonly whilePaused?: boolean;
}

/** What wants to know of the life of the open database. */
export interface DatabaseObserver extends FoldObserver {
  /** Whether commits are shipped at all. */
  readonly ships: boolean;
  /** It was opened. */
  opened(): void;
  /** Resolves when everything up to a position is in the store. Throws COMMIT_NOT_DURABLE, REPLICATION_FENCED. */
  reached(position: FilePosition, signal?: AbortSignal): Promise<void>;
  /** It is about to be closed: when this resolves nothing is read from its files any more. */
  closing(): Promise<void>;
}

/** How long queries may take to end once they were interrupted, ms. */
const INTERRUPT_MS = 5_000;

/** The open database: what the rest of the application uses. */
@Injectable()
export class DatabaseService {
  readonly #logger = new Logger('Database');
  /** Absolute. */
  readonly path: string;
  readonly writeGate = new WriteGate();
  readonly #work = new WorkRegistry();
  #engine: Engine | undefined;
  #pool: ConnectionPool | undefined;
  #checkpoints: CheckpointControl | undefined;
  #changing: Promise<void> = Promise.resolve();
  #fatal: Error | undefined;
  #wasOpened = false;
  #observer: DatabaseObserver | undefined;

  constructor(
    @Inject(databaseConfig.KEY) private readonly config: DatabaseConfig,
    private readonly clock: Clock,
  ) {
    this.path = resolve(config.path);
  }

  get isOpen(): boolean {
    return this.#engine !== undefined;
  }

  /** Whether this process has had the database open, and may open it again at any moment. */
  get wasOpened(): boolean {
    return this.#wasOpened;
  }

  /** The error with which DuckDB gave up; undefined while it has not. Only reopening the file helps. */
  get fatal(): Error | undefined {
    return this.#fatal;
  }

  /** The descriptors that are kept while the database is open. */
  get files(): DatabaseDescriptors {
    return this.#open().descriptors;
  }

  /**
   * Opens DUCKDB_PATH, creating it where it is missing. Idempotent; joins the run in flight.
   *
   * @throws EiderError DATABASE_*
   */
  async open(): Promise<void> {
    await this.#change(async () => {
      if (this.#engine !== undefined) return;
      this.#wasOpened = true;
      const isNew = (await prepareFile(this.path, this.clock.now())) === 'new';
      const engine = await Engine.open(this.path, isNew, this.config);
      this.#engine = engine;
      this.#pool = new ConnectionPool(engine, this.config.poolSize);
      this.#checkpoints = new CheckpointControl(engine, this.writeGate, this.clock, this.#observer);
      this.#fatal = undefined;
      this.#work.reopen();
      this.#observer?.opened();
    });
  }

  /** Sets who is told. Before the database is opened. */
  observe(observer: DatabaseObserver): void {
    this.#observer = observer;
  }

  /**
   * Closes the database: new work is refused, work under way is waited for and then interrupted. Throws where work does not
   * end even so; the database is in use then as before. Idempotent.
   */
  async close(): Promise<void> {
    await this.#change(async () => {
      const engine = this.#engine;
      if (engine === undefined) return;
      try {
        await this.#work.end(this.config.writeDrainTimeoutMs, INTERRUPT_MS);
      } catch (error) {
        this.#work.reopen();
        throw error;
      }
      this.#engine = undefined;
      await this.#checkpoints?.close();
      await this.#observer?.closing();
      this.#pool?.close();
      await engine.close();
    });
  }

  /**
   * Runs work that only reads, all of it on one snapshot. A statement that writes fails: it would get past the write gate.
   */
  async read<T>(work: (session: Session) => Promise<T>, options: QueryOptions = {}): Promise<T> {
    return this.#withConnection(
      'read',
      (session, connection, unit) => inTransaction(connection, unit, () => work(session), 'READ ONLY'),
      options,
    );
  }

  /**
   * Runs work that writes; each statement commits by itself. Throws DATABASE_READ_ONLY while writes are held off, and where
   * the work leaves a transaction open, which is rolled back.
   */
  async write<T>(work: (session: Session) => Promise<T>, options: QueryOptions = {}): Promise<T> {
    return this.#withConnection('write', work, options);
  }

  /** Runs work in one transaction: all of it is committed, or none. Throws DATABASE_READ_ONLY while writes are held off. */
  async transaction<T>(work: (session: Session) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    const { retries = 0 } = options;
    for (let left = retries; ; left--) {
      try {
        return await this.#withConnection(
          'write',
          (session, connection, unit) => inTransaction(connection, unit, () => work(session), 'READ WRITE'),
          options,
        );
      } catch (error) {
        if (left <= 0 || !isConflict(error)) throw error;
        await this.clock.sleep(conflictPause(retries - left));
      }
    }
  }

  /**
   * As `transaction`, and returns only when the commit is in the store. Callers at the same time share one request.
   *
   * @throws EiderError DURABILITY_UNAVAILABLE before anything is done; COMMIT_NOT_DURABLE after the commit, which stands
   */
  async durable<T>(work: (session: Session) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    this.requireDurability();
    const result = await this.transaction(work, options);
    await this.untilDurable(options.signal);
    return result;
  }

  /** Throws DURABILITY_UNAVAILABLE where commits are not shipped. */
  requireDurability(): void {
    if (this.#observer?.ships === true) return;
    throw new EiderError('DURABILITY_UNAVAILABLE', 'Commits are not shipped: R2_WAL_SYNC_INTERVAL_MS is 0.');
  }

  /** Resolves when everything committed so far is in the store. Throws COMMIT_NOT_DURABLE, REPLICATION_FENCED. */
  async untilDurable(signal?: AbortSignal): Promise<void> {
    await this.#observer?.reached(this.files.position(), signal);
  }

  /**
   * Holds writes off under a reason and waits for those under way; what does not end in time is interrupted and rolled
   * back. When it returns, nothing writes; when it throws, the reason stays in force until `resumeWrites`.
   *
   * @param mostMs - waits no longer than this, where that is less than WRITE_DRAIN_TIMEOUT_MS
   */
  async pauseWrites(reason: string, mostMs = Infinity): Promise<void> {
    const drainMs = Math.min(this.config.writeDrainTimeoutMs, mostMs);
    const { drained, inFlight } = await this.writeGate.close(reason, { drainMs });
    if (drained) return;
    this.#logger.warn(`${inFlight} writes did not end in ${drainMs} ms and are rolled back`);
    this.#work.interruptAll('closing', 'write');
    await this.writeGate.drain(INTERRUPT_MS);
    if (this.writeGate.inFlight > 0) {
      throw new EiderError('DATABASE_READ_ONLY', `${this.writeGate.inFlight} writes cannot be ended.`);
    }
  }

  /** Ends all reads under way. */
  interruptReads(): void {
    this.#work.interruptAll('closing', 'read');
  }

  /** Lets writes in again. */
  resumeWrites(reason: string): void {
    this.writeGate.open(reason);
  }

  /** Runs work while no checkpoint can happen, not even a user's own. For seconds: old row versions pile up meanwhile. */
  async guardCheckpoint<T>(work: () => Promise<T>): Promise<T> {
    return this.#control().guard(work);
  }

  /** Folds the log; false when other transactions kept it from running until the time-out. */
  async checkpoint(options: { readonly timeoutMs?: number } = {}): Promise<boolean> {
    return this.#noticingFatal(() => this.#control().checkpoint(options.timeoutMs ?? 0));
  }

  /** What kept the last checkpoint from running; undefined where it ran, or none was tried. */
  get checkpointObstacle(): string | undefined {
    return this.#checkpoints?.obstacle;
  }

  /** Makes Eider's own checkpoints wait until the returned function is called. */
  async holdCheckpoints(): Promise<() => void> {
    return this.#control().hold();
  }

  /** The last commit in the files. */
  position(): Promise<FilePosition> {
    return Promise.resolve(this.files.position());
  }

  /** Every table with its exact number of rows. */
  async tableCounts(options: Pick<QueryOptions, 'signal'> = {}): Promise<TableCount[]> {
    const { catalog } = this.#open();
    return this.read((session) => countTables(session, catalog), { ...options, timeoutMs: 0 });
  }

  /** Every table with its exact number of rows and the hash of its contents; reads every value. */
  async tableHashes(options: Pick<QueryOptions, 'signal'> = {}): Promise<TableHash[]> {
    const { catalog } = this.#open();
    return this.read((session) => hashTables(session, catalog), { ...options, timeoutMs: 0 });
  }

  #open(): Engine {
    if (this.#engine === undefined) throw closed();
    return this.#engine;
  }

  #control(): CheckpointControl {
    if (this.#checkpoints === undefined || this.#engine === undefined) throw closed();
    return this.#checkpoints;
  }

  async #withConnection<T>(
    kind: WorkKind,
    work: (session: Session, connection: DuckDBConnection, unit: UnitOfWork) => Promise<T>,
    options: TransactionOptions,
  ): Promise<T> {
    const pool = this.#pool;
    if (pool === undefined || this.#engine === undefined) throw closed();
    const { timeoutMs = this.config.queryTimeoutMs, signal, whilePaused: whileClosed = false } = options;
    return this.#work.run(kind, (unit) =>
      unit.within({ timeoutMs, signal }, async () => {
        const leave = kind === 'write' ? await this.writeGate.enter({ whileClosed, signal: unit.signal }) : undefined;
        try {
          return await this.#noticingFatal(() => this.#onConnection(pool, work, unit));
        } finally {
          leave?.();
        }
      }),
    );
  }

  async #onConnection<T>(
    pool: ConnectionPool,
    work: (session: Session, connection: DuckDBConnection, unit: UnitOfWork) => Promise<T>,
    unit: UnitOfWork,
  ): Promise<T> {
    const connection = await pool.take(unit.signal);
    let reusable = false;
    try {
      unit.uses(connection);
      const session = new ConnectionSession(connection, () => unit.check());
      const result = await work(session, connection, unit);
      unit.concludes();
      if (session.alteredConnection) await refuseOpenTransaction(connection);
      // An interruption that came too late for this work would hit the next one on the same connection.
      reusable = !unit.signal.aborted && !session.alteredConnection;
      return result;
    } finally {
      pool.give(connection, reusable);
    }
  }

  /** Notes it where DuckDB has given up, as it does when a checkpoint fails. */
  async #noticingFatal<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isFatal(error)) this.#fatal ??= new Error(messageOf(error));
      throw error;
    }
  }

  /** Opening and closing follow one another. */
  async #change(work: () => Promise<void>): Promise<void> {
    const result = this.#changing.then(work);
    this.#changing = result.catch(() => {});
    await result;
  }
}

async function inTransaction<T>(
  connection: DuckDBConnection,
  unit: UnitOfWork,
  work: () => Promise<T>,
  mode: 'READ ONLY' | 'READ WRITE',
): Promise<T> {
  await connection.run(`BEGIN TRANSACTION ${mode}`);
  try {
    const result = await work();
    unit.check();
    unit.concludes();
    await connection.run('COMMIT');
    return result;
  } catch (error) {
    unit.concludes();
    // A failed statement has ended the transaction already; then there is nothing to roll back.
    await connection.run('ROLLBACK').catch(() => {});
    throw error;
  }
}

/** Work that began a transaction and did not end it has committed nothing, whatever it believes. */
async function refuseOpenTransaction(connection: DuckDBConnection): Promise<void> {
  const open = await connection.run('ROLLBACK').then(
    () => true,
    // There is nothing to roll back, as there should not be.
    () => false,
  );
  if (open)
    throw new Error('the work left a transaction open, which was rolled back: use transaction() in place of BEGIN');
}

/**
 * How long a transaction waits before it begins again, ms. DuckDB reports a conflict at once, while the other transaction
 * still waits for its fsync: without a pause all tries would be over before that one has committed.
 */
function conflictPause(attempt: number): number {
  return Math.random() * Math.min(100, 2 ** attempt);
}

function closed(): EiderError {
  return new EiderError('DATABASE_CLOSED', 'The database is not open at the moment.', { retryAfterSeconds: 2 });
}
