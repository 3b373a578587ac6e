import type { DuckDBConnection } from '@duckdb/node-api';
import { EiderError } from '../errors/eider-error.js';
import { describeQueryError, type Interruption } from './query-error.js';

/** What bounds a piece of work. */
export interface WorkBounds {
  /** ms; 0 for none. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * DuckDB forgets an interruption when a statement begins, and one that was handed to it may not have begun yet: an
 * interruption is repeated so often, ms, until the work has ended.
 */
const REPEAT_MS = 20;

/** Whether work may change the database. */
export type WorkKind = 'read' | 'write';

/** One piece of work: it can be interrupted, and then runs no further statement. */
export class UnitOfWork {
  readonly #stop = new AbortController();
  #connection: DuckDBConnection | undefined;
  #interruption: Interruption | undefined;
  #repeat: NodeJS.Timeout | undefined;

  constructor(readonly kind: WorkKind) {}

  /** Aborted when the unit is interrupted. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Throws once the unit was interrupted: the next statement of the same work must not run. */
  check(): void {
    this.#stop.signal.throwIfAborted();
  }

  /** From now on an interruption stops what the connection runs. */
  uses(connection: DuckDBConnection): void {
    this.#connection = connection;
    this.check();
  }

  /** From now on an interruption comes too late: what follows is a COMMIT or a ROLLBACK, which must have one outcome. */
  concludes(): void {
    this.#connection = undefined;
  }

  interrupt(why: Interruption): void {
    if (this.#stop.signal.aborted) return;
    this.#interruption = why;
    this.#stop.abort(new Error('Interrupted'));
    this.#connection?.interrupt();
    this.#repeat = setInterval(() => this.#connection?.interrupt(), REPEAT_MS);
  }

  /** Runs the work within its bounds, waiting for a connection included. Failures are told in Eider's words. */
  async within<T>({ timeoutMs, signal }: WorkBounds, work: () => Promise<T>): Promise<T> {
    const timer = timeoutMs > 0 ? setTimeout(() => this.interrupt('timeout'), timeoutMs) : undefined;
    const abort = (): void => this.interrupt('cancelled');
    signal?.addEventListener('abort', abort, { once: true });
    try {
      if (signal?.aborted === true) this.interrupt('cancelled');
      this.check();
      return await work();
    } catch (error) {
      throw describeQueryError(error, this.#interruption);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      this.concludes();
      clearInterval(this.#repeat);
    }
  }
}

/** All work under way, so that closing can wait for it and end it. */
export class WorkRegistry {
  readonly #units = new Set<UnitOfWork>();
  #ending = false;
  #waiting: (() => void)[] = [];

  /** Throws DATABASE_CLOSED once the end has begun. */
  async run<T>(kind: WorkKind, work: (unit: UnitOfWork) => Promise<T>): Promise<T> {
    if (this.#ending) {
      throw new EiderError('DATABASE_CLOSED', 'The database is being closed.', { retryAfterSeconds: 2 });
    }
    const unit = new UnitOfWork(kind);
    this.#units.add(unit);
    try {
      return await work(unit);
    } finally {
      this.#units.delete(unit);
      if (this.#units.size === 0) for (const wake of this.#waiting.splice(0)) wake();
    }
  }

  /** Interrupts the work of a kind, or all. */
  interruptAll(why: Interruption, kind?: WorkKind): void {
    for (const unit of this.#units) if (kind === undefined || unit.kind === kind) unit.interrupt(why);
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
