import type { Clock } from '../runtime/clock.js';
import { quoteIdentifier } from './catalog-name.js';
import type { Engine } from './engine.js';
import { isCheckpointBlocked } from './query-error.js';

/** Pause between two tries of a checkpoint that other transactions are in the way of, ms. */
const RETRY_MS = 20;

/** Who may make a checkpoint, and when. */
export class CheckpointControl {
  #turn: Promise<unknown> = Promise.resolve();
  #holds = 0;
  #released: (() => void)[] = [];

  constructor(
    private readonly engine: Engine,
    private readonly clock: Clock,
  ) {}

  /**
   * Folds the log with a plain CHECKPOINT. Never FORCE, which spins and stops every new transaction while an old reader
   * is open, and never `PRAGMA force_checkpoint`, which can leave a file that does not open.
   */
  async checkpoint(timeoutMs: number): Promise<boolean> {
    const result = this.#turn.then(() => this.#checkpoint(timeoutMs));
    this.#turn = result.catch(() => {});
    return result;
  }

  /** Makes checkpoints wait. Resolves when none is under way. */
  async hold(): Promise<() => void> {
    this.#holds++;
    await this.#turn;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#holds--;
      if (this.#holds === 0) for (const wake of this.#released.splice(0)) wake();
    };
  }

  /**
   * Keeps every checkpoint from happening with a transaction that changes nothing: creating a schema that exists takes
   * the shared checkpoint lock, waits for a checkpoint under way, and lets commits go on.
   */
  async guard<T>(work: () => Promise<T>): Promise<T> {
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

  /** Waits for a checkpoint under way. */
  async close(): Promise<void> {
    for (const wake of this.#released.splice(0)) wake();
    await this.#turn;
  }

  async #checkpoint(timeoutMs: number): Promise<boolean> {
    if (this.#holds > 0) await new Promise<void>((resolve) => this.#released.push(resolve));
    const deadline = this.clock.monotonicMs() + timeoutMs;
    const connection = await this.engine.connect();
    try {
      for (;;) {
        try {
          await connection.run(`CHECKPOINT ${quoteIdentifier(this.engine.catalog)}`);
          return true;
        } catch (error) {
          if (!isCheckpointBlocked(error)) throw error;
          if (this.clock.monotonicMs() >= deadline) return false;
          await this.clock.sleep(RETRY_MS);
        }
      }
    } finally {
      connection.closeSync();
    }
  }
}
