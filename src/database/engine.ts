import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { messageOf } from '../errors/eider-error.js';
import { catalogNameOf, quoteIdentifier, quoteLiteral } from './catalog-name.js';
import { DatabaseDescriptors } from './database-descriptors.js';
import { duckdb } from './duckdb.js';
import { claimFile } from './open-files.js';
import { describeOpenError } from './query-error.js';

export interface EngineOptions {
  readonly memoryLimit?: string | undefined;
  readonly threads?: number | undefined;
}

/**
 * Settings that leave checkpoints to Eider: without the first DuckDB makes them by itself, without the second large
 * commits that trip the threshold never go through the log.
 */
const SETTINGS = [
  "SET GLOBAL checkpoint_threshold = '100TB'",
  'SET GLOBAL auto_checkpoint_skip_wal_threshold = 1000000000000000',
  'SET GLOBAL wal_autocheckpoint_entries = 0',
];

/**
 * One open database: an in-memory DuckDB instance that the file is attached to.
 *
 * Attached rather than opened directly, since some logs can only be replayed that way (duckdb#19712); docs/adr has the
 * reasons.
 */
export class Engine {
  private constructor(
    readonly path: string,
    readonly catalog: string,
    readonly descriptors: DatabaseDescriptors,
    private readonly instance: DuckDBInstance,
    private readonly keeper: DuckDBConnection,
    private readonly release: () => void,
  ) {}

  /**
   * Opens a database, or creates it in the newest storage version.
   *
   * @param path - absolute
   * @throws EiderError DATABASE_LOCKED, DATABASE_CORRUPT, DATABASE_DISK_FULL, DATABASE_PATH_INVALID
   */
  static async open(path: string, isNew: boolean, options: EngineOptions): Promise<Engine> {
    const claim = claimFile(path);
    const catalog = catalogNameOf(path);
    let instance: DuckDBInstance | undefined;
    let keeper: DuckDBConnection | undefined;
    try {
      instance = await duckdb().DuckDBInstance.create(':memory:', {
        ...(options.memoryLimit === undefined ? {} : { memory_limit: options.memoryLimit }),
        ...(options.threads === undefined ? {} : { threads: String(options.threads) }),
      });
      keeper = await instance.connect();
      for (const setting of SETTINGS) await keeper.run(setting);
      const version = isNew ? " (STORAGE_VERSION 'latest')" : '';
      await keeper.run(`ATTACH ${quoteLiteral(path)} AS ${quoteIdentifier(catalog)}${version}`);
      claim.opened();
      return new Engine(path, catalog, new DatabaseDescriptors(path), instance, keeper, claim.closed);
    } catch (error) {
      keeper?.closeSync();
      instance?.closeSync();
      claim.closed();
      throw describeOpenError(error, path);
    }
  }

  /** A connection that uses the database. The caller closes it. */
  async connect(): Promise<DuckDBConnection> {
    const connection = await this.instance.connect();
    // With its schema: a name alone is taken for a schema where there is one, such as `pg_catalog`.
    await connection.run(`USE ${quoteIdentifier(this.catalog)}.main`);
    return connection;
  }

  /**
   * Folds the log, as far as no transaction is open, and closes the file; then the descriptors, in this order.
   *
   * Every other connection must be closed by now: an open transaction keeps the file open behind DETACH.
   */
  async close(): Promise<void> {
    try {
      await this.keeper.run(`DETACH ${quoteIdentifier(this.catalog)}`);
    } catch (error) {
      // An instance that has given up cannot detach; the log is whole and is replayed by the next start.
      if (!/FATAL|invalidated/i.test(messageOf(error))) throw error;
    } finally {
      this.keeper.closeSync();
      this.instance.closeSync();
      this.descriptors.close();
      this.release();
    }
  }
}
