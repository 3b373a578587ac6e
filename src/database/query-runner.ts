import type { DuckDBConnection } from '@duckdb/node-api';
import type { ConnectionPool } from './connection-pool.js';
import type { FatalWatch } from './fatal-watch.js';
import { ConnectionSession, type Session } from './session.js';
import { inTransaction, refuseOpenTransaction } from './transaction.js';
import { type UnitOfWork, type WorkKind, WorkRegistry } from './work-registry.js';
import type { WriteGate } from './write-gate.js';

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

/** Runs queries of an open database: within their bounds, through the write gate, each on a connection of its own. */
export class QueryRunner {
  /** All queries under way. */
  readonly work = new WorkRegistry();

  constructor(
    private readonly pool: ConnectionPool,
    private readonly gate: WriteGate,
    private readonly fatal: FatalWatch,
    private readonly defaultTimeoutMs: number,
  ) {}

  /** Runs work whose statements commit by themselves. */
  async run<T>(kind: WorkKind, work: (session: Session) => Promise<T>, options: TransactionOptions): Promise<T> {
    return this.#admitted(kind, work, options);
  }

  /** Runs work in one transaction, which only reads where it is of that kind. */
  async transaction<T>(
    kind: WorkKind,
    work: (session: Session) => Promise<T>,
    options: TransactionOptions,
  ): Promise<T> {
    const mode = kind === 'read' ? 'READ ONLY' : 'READ WRITE';
    return this.#admitted(
      kind,
      (session, connection, unit) => inTransaction(connection, unit, () => work(session), mode),
      options,
    );
  }

  async #admitted<T>(
    kind: WorkKind,
    work: (session: Session, connection: DuckDBConnection, unit: UnitOfWork) => Promise<T>,
    options: TransactionOptions,
  ): Promise<T> {
    const { timeoutMs = this.defaultTimeoutMs, signal, whilePaused: whileClosed = false } = options;
    return this.work.run(kind, (unit) =>
      unit.within({ timeoutMs, signal }, async () => {
        const leave = kind === 'write' ? await this.gate.enter({ whileClosed, signal: unit.signal }) : undefined;
        try {
          return await this.fatal.over(() => this.#onConnection(work, unit));
        } finally {
          leave?.();
        }
      }),
    );
  }

  async #onConnection<T>(
    work: (session: Session, connection: DuckDBConnection, unit: UnitOfWork) => Promise<T>,
    unit: UnitOfWork,
  ): Promise<T> {
    const connection = await this.pool.take(unit.signal);
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
      this.pool.give(connection, reusable);
    }
  }
}
