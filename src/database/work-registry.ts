import type { DuckDBConnection } from '@duckdb/node-api';
import { EiderError } from '../errors/eider-error.js';
import { describeQueryError, type Interruption } from './query-error.js';

/** One piece of work on a connection: it can be interrupted, and then runs no further statement. */
export class UnitOfWork {
  #connection: DuckDBConnection | undefined;
  #interruption: Interruption | undefined;

  /** Throws once the unit was interrupted: the next statement of the same work must not run. */
  check(): void {
    if (this.#interruption !== undefined) throw new Error('Interrupted');
  }

  interrupt(why: Interruption): void {
    this.#interruption ??= why;
    this.#connection?.interrupt();
  }

  /** Runs the work on a connection, within a time and until an abort. Failures are told in Eider's words. */
  async on<T>(
    connection: DuckDBConnection,
    bounds: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined },
    work: () => Promise<T>,
  ): Promise<T> {
    this.#connection = connection;
    const timer = bounds.timeoutMs > 0 ? setTimeout(() => this.interrupt('timeout'), bounds.timeoutMs) : undefined;
    const abort = (): void => this.interrupt('cancelled');
    bounds.signal?.addEventListener('abort', abort, { once: true });
    try {
      if (bounds.signal?.aborted === true) this.interrupt('cancelled');
      this.check();
      return await work();
    } catch (error) {
      throw describeQueryError(error, this.#interruption);
    } finally {
      clearTimeout(timer);
      bounds.signal?.removeEventListener('abort', abort);
      this.#connection = undefined;
    }
  }
}

/** All work under way, so that closing can wait for it and end it. */
export class WorkRegistry {
  readonly #units = new Set<UnitOfWork>();
  #ending = false;
  #waiting: (() => void)[] = [];

  /** Throws DATABASE_CLOSED once the end has begun. */
  async run<T>(work: (unit: UnitOfWork) => Promise<T>): Promise<T> {
    if (this.#ending) {
      throw new EiderError('DATABASE_CLOSED', 'The database is being closed.', { retryAfterSeconds: 2 });
    }
    const unit = new UnitOfWork();
    this.#units.add(unit);
    try {
      return await work(unit);
    } finally {
      this.#units.delete(unit);
      if (this.#units.size === 0) for (const wake of this.#waiting.splice(0)) wake();
    }
  }

  interruptAll(why: Interruption): void {
    for (const unit of this.#units) unit.interrupt(why);
  }

  /** Lets no work in, waits for what is under way, interrupts the rest, and waits for that, too. */
  async end(waitMs: number, interruptMs: number): Promise<void> {
    this.#ending = true;
    await this.#idle(waitMs);
    this.interruptAll('closing');
    await this.#idle(interruptMs);
    if (this.#units.size > 0) throw new Error(`${this.#units.size} queries did not end although they were interrupted`);
  }

  reopen(): void {
    this.#ending = false;
  }

  async #idle(ms: number): Promise<void> {
    if (this.#units.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
      this.#waiting.push(resolve);
    });
    clearTimeout(timer);
  }
}
