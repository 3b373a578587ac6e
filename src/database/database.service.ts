import { Inject, Injectable, Logger } from '../runtime/injection.js';
import { resolve } from 'node:path';
import { databaseConfig, type DatabaseConfig } from '../config/database.config.js';
import { EiderError } from '../errors/eider-error.js';
import type { FilePosition } from '../duckdb-format/file-position.js';
import { Clock } from '../runtime/clock.js';
import type { DatabaseDescriptors } from './database-descriptors.js';
import type { DatabaseObserver } from './database-observer.js';
import { OpenDatabase } from './open-database.js';
import { isConflict } from './query-error.js';
import type { QueryOptions, TransactionOptions } from './query-runner.js';
import type { Session } from './session.js';
import { countTables, hashTables, type TableCount, type TableHash } from './table-counts.js';
import { conflictPause } from './transaction.js';
import { WriteGate } from './write-gate.js';

/** How long queries may take to end once they were interrupted, ms. */
const INTERRUPT_MS = 5_000;

/** The open database: what the rest of the application uses. */
@Injectable()
export class DatabaseService {
  readonly #logger = new Logger('Database');
  /** Absolute. */
  readonly path: string;
  readonly writeGate = new WriteGate();
  #open: OpenDatabase | undefined;
  /** The one that is open, or was last. */
  #latest: OpenDatabase | undefined;
  #changing: Promise<void> = Promise.resolve();
  #wasOpened = false;
  #observer: DatabaseObserver | undefined;

  constructor(
    @Inject(databaseConfig.KEY) private readonly config: DatabaseConfig,
    private readonly clock: Clock,
  ) {
    this.path = resolve(config.path);
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** Whether this process has had the database open, and may open it again at any moment. */
  get wasOpened(): boolean {
    return this.#wasOpened;
  }

  /** The error with which DuckDB gave up; undefined while it has not. Only reopening the file helps. */
  get fatal(): Error | undefined {
    return this.#latest?.fatal.error;
  }

  /** The descriptors that are kept while the database is open. */
  get files(): DatabaseDescriptors {
    return this.#current().engine.descriptors;
  }

  /**
   * Opens DUCKDB_PATH, creating it where it is missing. Idempotent; joins the run in flight.
   *
   * @throws EiderError DATABASE_*
   */
  async open(): Promise<void> {
    await this.#change(async () => {
      if (this.#open !== undefined) return;
      this.#wasOpened = true;
      const { config, writeGate: gate, clock } = this;
      this.#open = await OpenDatabase.open(this.path, { config, gate, clock, observer: this.#observer });
      this.#latest = this.#open;
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
      const open = this.#open;
      if (open === undefined) return;
      const { work } = open.queries;
      try {
        await work.end(this.config.writeDrainTimeoutMs, INTERRUPT_MS);
      } catch (error) {
        work.reopen();
        throw error;
      }
      this.#open = undefined;
      await open.close();
    });
  }

  /**
   * Runs work that only reads, all of it on one snapshot. A statement that writes fails: it would get past the write gate.
   */
  async read<T>(work: (session: Session) => Promise<T>, options: QueryOptions = {}): Promise<T> {
    return this.#current().queries.transaction('read', work, options);
  }

  /**
   * Runs work that writes; each statement commits by itself. Throws DATABASE_READ_ONLY while writes are held off, and where
   * the work leaves a transaction open, which is rolled back.
   */
  async write<T>(work: (session: Session) => Promise<T>, options: QueryOptions = {}): Promise<T> {
    return this.#current().queries.run('write', work, options);
  }

  /** Runs work in one transaction: all of it is committed, or none. Throws DATABASE_READ_ONLY while writes are held off. */
  async transaction<T>(work: (session: Session) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    const { retries = 0 } = options;
    for (let left = retries; ; left--) {
      try {
        return await this.#current().queries.transaction('write', work, options);
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
    this.#open?.queries.work.interruptAll('closing', 'write');
    await this.writeGate.drain(INTERRUPT_MS);
    if (this.writeGate.inFlight > 0) {
      throw new EiderError('DATABASE_READ_ONLY', `${this.writeGate.inFlight} writes cannot be ended.`);
    }
  }

  /** Ends all reads under way. */
  interruptReads(): void {
    this.#open?.queries.work.interruptAll('closing', 'read');
  }

  /** Lets writes in again. */
  resumeWrites(reason: string): void {
    this.writeGate.open(reason);
  }

  /** Runs work while no checkpoint can happen, not even a user's own. For seconds: old row versions pile up meanwhile. */
  async guardCheckpoint<T>(work: () => Promise<T>): Promise<T> {
    return this.#current().checkpoints.guard(work);
  }

  /** Folds the log; false when other transactions kept it from running until the time-out. */
  async checkpoint(options: { readonly timeoutMs?: number } = {}): Promise<boolean> {
    const { fatal, checkpoints } = this.#current();
    return fatal.over(() => checkpoints.checkpoint(options.timeoutMs ?? 0));
  }

  /** What kept the last checkpoint from running; undefined where it ran, or none was tried. */
  get checkpointObstacle(): string | undefined {
    return this.#latest?.checkpoints.obstacle;
  }

  /** Makes Eider's own checkpoints wait until the returned function is called. */
  async holdCheckpoints(): Promise<() => void> {
    return this.#current().checkpoints.hold();
  }

  /** The last commit in the files. */
  position(): Promise<FilePosition> {
    return Promise.resolve(this.files.position());
  }

  /** Every table with its exact number of rows. */
  async tableCounts(options: Pick<QueryOptions, 'signal'> = {}): Promise<TableCount[]> {
    const { catalog } = this.#current().engine;
    return this.read((session) => countTables(session, catalog), { ...options, timeoutMs: 0 });
  }

  /** Every table with its exact number of rows and the hash of its contents; reads every value. */
  async tableHashes(options: Pick<QueryOptions, 'signal'> = {}): Promise<TableHash[]> {
    const { catalog } = this.#current().engine;
    return this.read((session) => hashTables(session, catalog), { ...options, timeoutMs: 0 });
  }

  #current(): OpenDatabase {
    if (this.#open !== undefined) return this.#open;
    throw new EiderError('DATABASE_CLOSED', 'The database is not open at the moment.', { retryAfterSeconds: 2 });
  }

  /** Opening and closing follow one another. */
  async #change(work: () => Promise<void>): Promise<void> {
    const result = this.#changing.then(work);
    this.#changing = result.catch(() => {});
    await result;
  }
}
