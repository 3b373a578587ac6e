import type { DuckDBConnection } from '@duckdb/node-api';
import type { Engine } from './engine.js';

interface Waiter {
  wake(): void;
}

/** Connections to one open database, at most `size` in use; more callers wait their turn. */
export class ConnectionPool {
  readonly #idle: DuckDBConnection[] = [];
  readonly #waiting: Waiter[] = [];
  #inUse = 0;

  constructor(
    private readonly engine: Engine,
    private readonly size: number,
  ) {}

  get inUse(): number {
    return this.#inUse;
  }

  /** A connection; the caller gives it back. Rejects with the signal's reason when it is aborted while waiting. */
  async take(signal?: AbortSignal): Promise<DuckDBConnection> {
    while (this.#inUse >= this.size) await this.#turn(signal);
    signal?.throwIfAborted();
    this.#inUse++;
    try {
      return this.#idle.pop() ?? (await this.engine.connect());
    } catch (error) {
      this.#leave();
      throw error;
    }
  }

  /** Gives a connection back; one that may hold an open transaction or other settings is closed instead. */
  give(connection: DuckDBConnection, reusable: boolean): void {
    if (reusable) this.#idle.push(connection);
    else connection.closeSync();
    this.#leave();
  }

  /** Closes the idle connections. Call it when none is in use. */
  close(): void {
    for (const connection of this.#idle.splice(0)) connection.closeSync();
  }

  async #turn(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = {
        wake: () => {
          signal?.removeEventListener('abort', abort);
          resolve();
        },
      };
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.push(waiter);
    });
  }

  #leave(): void {
    this.#inUse--;
    this.#waiting.shift()?.wake();
  }
}
