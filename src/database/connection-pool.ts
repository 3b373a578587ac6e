import type { DuckDBConnection } from '@duckdb/node-api';
import type { Engine } from './engine.js';

/** Connections to one open database, at most `size` in use; more callers wait their turn. */
export class ConnectionPool {
  readonly #idle: DuckDBConnection[] = [];
  readonly #waiting: (() => void)[] = [];
  #inUse = 0;

  constructor(
    private readonly engine: Engine,
    private readonly size: number,
  ) {}

  get inUse(): number {
    return this.#inUse;
  }

  async take(): Promise<DuckDBConnection> {
    while (this.#inUse >= this.size) await new Promise<void>((resolve) => this.#waiting.push(resolve));
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

  #leave(): void {
    this.#inUse--;
    this.#waiting.shift()?.();
  }
}
