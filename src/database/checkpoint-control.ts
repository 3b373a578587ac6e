import type { DuckDBConnection } from '@duckdb/node-api';
import { EiderError } from '../errors/eider-error.js';
import type { Clock } from '../runtime/clock.js';
import { quoteIdentifier } from './catalog-name.js';
import { freeBytesBeside, hasRoomToFold } from './disk-room.js';
import type { Engine } from './engine.js';
import { isCheckpointBlocked } from './query-error.js';
import type { WriteGate } from './write-gate.js';

/** Pause between two tries of a checkpoint that other transactions are in the way of, ms. */
const RETRY_MS = 20;
/** How long new writes wait for those under way to end, so that a checkpoint can run, ms. Doubled with each try. */
const DRAIN_MS = 250;

/** What has to happen around each checkpoint, while writes are held off. */
export interface FoldObserver {
  /** Once while writes still go on, and once while they are held off. False puts the checkpoint off. */
  prepareFold(when: 'beforehand' | 'now'): Promise<boolean>;
  /** It is done; writes are still held off. */
  folded(): void;
}

/** What kept the last checkpoint from running, for people. */
export type Obstacle =
  | 'a write of this service that has been open all the while'
  | 'a reader that is older than a committed update, or a write past Eider'
  | 'commits that are not shipped yet'
  | 'too little room on the disk';

/** Who may make a checkpoint, and when. */
export class CheckpointControl {
  /** Checkpoints follow one another: two at once would only get in each other's way. */
  #turn: Promise<unknown> = Promise.resolve();
  /** The checkpoint that DuckDB is asked for now. One that waits for a hold to end is not under way. */
  #running: Promise<unknown> | undefined;
  #holds = 0;
  readonly #guards = new Set<Promise<unknown>>();
  readonly #waiting: (() => void)[] = [];
  #closing = false;
  #obstacle: Obstacle | undefined;

  constructor(
    private readonly engine: Engine,
    private readonly writeGate: WriteGate,
    private readonly clock: Clock,
    private readonly observer?: FoldObserver,
  ) {}

  /**
   * Folds the log with a plain CHECKPOINT. Never FORCE, which spins and stops every new transaction while an old reader
   * is open, and never `PRAGMA force_checkpoint`, which can leave a file that does not open.
   *
   * Writes wait meanwhile: DuckDB 1.5.6 lets a DELETE commit while a checkpoint runs, and may then leave a file that does
   * not open any more (duckdb#25970); docs/adr has the figures.
   *
   * @param timeoutMs - how long to try while transactions are in the way; waiting for holds does not count
   * @returns false when transactions were in the way until the end
   */
  async checkpoint(timeoutMs: number): Promise<boolean> {
    const result = this.#turn.then(() => this.#whenReleased(timeoutMs));
    this.#turn = result.catch(() => {});
    return result;
  }

  /** What kept the last checkpoint from running; undefined where it ran. */
  get obstacle(): Obstacle | undefined {
    return this.#obstacle;
  }

  /** Makes checkpoints wait. Resolves when none is under way; several may hold at once. */
  async hold(): Promise<() => void> {
    this.#holds++;
    await this.#running?.catch(() => {});
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#holds--;
      if (this.#holds === 0) this.#wake();
    };
  }

  /**
   * Keeps every checkpoint from happening with a transaction that changes nothing: creating a schema that exists takes
   * the shared checkpoint lock, waits for a checkpoint under way, and lets commits go on.
   */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing) throw closing();
    const guarded = this.#guard(work);
    const settled = guarded.catch(() => {});
    this.#guards.add(settled);
    try {
      return await guarded;
    } finally {
      this.#guards.delete(settled);
    }
  }

  /**
   * Refuses checkpoints that wait, and waits for the one under way and for guards: an open guard would keep DuckDB's file
   * open behind DETACH, after the descriptors that protect its lock are closed.
   */
  async close(): Promise<void> {
    this.#closing = true;
    this.#wake();
    await this.#turn;
    await Promise.all(this.#guards);
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async #whenReleased(timeoutMs: number): Promise<boolean> {
    // A new hold may have begun since this one was woken, so it looks again.
    while (this.#holds > 0 && !this.#closing) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.#closing) throw closing();
    const running = this.#checkpoint(timeoutMs);
    this.#running = running;
    try {
      return await running;
    } finally {
      this.#running = undefined;
    }
  }

  async #checkpoint(timeoutMs: number): Promise<boolean> {
    const deadline = this.clock.monotonicMs() + timeoutMs;
    const connection = await this.engine.connect();
    try {
      for (let drainMs = DRAIN_MS; ;) {
        const leftMs = Math.max(0, deadline - this.clock.monotonicMs());
        // First while writes go on, so that little is left to be done while they are held off.
        if ((await this.observer?.prepareFold('beforehand')) === false) {
          this.#obstacle = 'commits that are not shipped yet';
          if (this.#closing || this.clock.monotonicMs() + drainMs >= deadline) return false;
          await this.clock.sleep(drainMs);
          continue;
        }
        const letIn = await this.writeGate.exclude(Math.min(drainMs, leftMs));
        try {
          this.#obstacle =
            letIn === undefined
              ? 'a write of this service that has been open all the while'
              : await this.#fold(connection);
          if (this.#obstacle === undefined) {
            this.observer?.folded();
            return true;
          }
        } finally {
          letIn?.();
        }
        // Writes that were made to wait in vain have as long for themselves before the next try.
        const pauseMs = letIn === undefined ? drainMs : RETRY_MS;
        if (this.#closing || this.clock.monotonicMs() + pauseMs >= deadline) return false;
        await this.clock.sleep(pauseMs);
        if (letIn === undefined) drainMs *= 2;
      }
    } finally {
      connection.closeSync();
    }
  }

  async #fold(connection: DuckDBConnection): Promise<Obstacle | undefined> {
    const { path, descriptors } = this.engine;
    if (!hasRoomToFold(freeBytesBeside(path), descriptors.wal()?.size ?? 0)) return 'too little room on the disk';
    if ((await this.observer?.prepareFold('now')) === false) return 'commits that are not shipped yet';
    try {
      await connection.run(`CHECKPOINT ${quoteIdentifier(this.engine.catalog)}`);
      return undefined;
    } catch (error) {
      if (isCheckpointBlocked(error)) return 'a reader that is older than a committed update, or a write past Eider';
      throw error;
    }
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    const connection = await this.engine.connect();
    try {
      await connection.run('BEGIN TRANSACTION');
      await connection.run(`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(this.engine.catalog)}.main`);
      return await work();
    } finally {
      await connection.run('ROLLBACK').catch(() => {});
      connection.closeSync();
    }
  }
}

function closing(): EiderError {
  return new EiderError('DATABASE_CLOSED', 'The database is being closed.', { retryAfterSeconds: 2 });
}
