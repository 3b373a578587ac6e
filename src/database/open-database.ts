import type { DatabaseConfig } from '../config/database.config.js';
import type { Clock } from '../runtime/clock.js';
import { CheckpointControl } from './checkpoint-control.js';
import { ConnectionPool } from './connection-pool.js';
import type { DatabaseObserver } from './database-observer.js';
import { Engine } from './engine.js';
import { FatalWatch } from './fatal-watch.js';
import { prepareFile } from './prepare-file.js';
import { QueryRunner } from './query-runner.js';
import type { WriteGate } from './write-gate.js';

/** What a database is opened with. */
export interface OpenParts {
  readonly config: DatabaseConfig;
  readonly gate: WriteGate;
  readonly clock: Clock;
  readonly observer: DatabaseObserver | undefined;
}

/** One opening of the database, from its file being opened to its being closed. */
export class OpenDatabase {
  readonly fatal = new FatalWatch();
  readonly queries: QueryRunner;
  readonly checkpoints: CheckpointControl;
  readonly #pool: ConnectionPool;

  private constructor(
    readonly engine: Engine,
    private readonly parts: OpenParts,
  ) {
    const { config, gate, clock, observer } = parts;
    this.#pool = new ConnectionPool(engine, config.poolSize);
    this.queries = new QueryRunner(this.#pool, gate, this.fatal, config.queryTimeoutMs);
    this.checkpoints = new CheckpointControl(engine, gate, clock, observer);
  }

  /** Opens a file, creating it where it is missing. Throws DATABASE_*. */
  static async open(path: string, parts: OpenParts): Promise<OpenDatabase> {
    const isNew = (await prepareFile(path, parts.clock.now())) === 'new';
    return new OpenDatabase(await Engine.open(path, isNew, parts.config), parts);
  }

  /** Closes it, once no query is under way. */
  async close(): Promise<void> {
    await this.checkpoints.close();
    await this.parts.observer?.closing();
    this.#pool.close();
    await this.engine.close();
  }
}
