import { Inject, Injectable, Logger, Optional } from '../runtime/injection.js';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { databaseConfig, type DatabaseConfig } from '../config/database.config.js';
import { EiderError, messageOf } from '../errors/eider-error.js';
import { DatabaseService } from './database.service.js';
import { SQL_FOLDER } from './migration-files.js';
import { SQL_FOLDER_TOKEN } from './migrator.js';

const FILE = 'duckdb-seed-realistic.sql';

/** Loads the sample data. */
@Injectable()
export class Seeder {
  readonly #logger = new Logger('Seeds');
  readonly #folder: string;

  constructor(
    @Inject(databaseConfig.KEY) private readonly config: DatabaseConfig,
    private readonly database: DatabaseService,
    @Optional() @Inject(SQL_FOLDER_TOKEN) folder: string | undefined,
  ) {
    this.#folder = folder ?? SQL_FOLDER;
  }

  /**
   * Loads the sample data once: into a database whose tables were always empty. What a user has deleted stays deleted.
   *
   * @returns whether it was loaded now
   * @throws EiderError SEED_FAILED; nothing was loaded
   */
  async seed(): Promise<boolean> {
    if (!this.config.seed || !(await this.#isUntouched())) return false;
    const sql = await readFile(join(this.#folder, FILE), 'utf8');
    try {
      await this.database.transaction(
        async (session) => {
          await session.runScript(sql);
          await session.run('INSERT INTO schema_seeds VALUES ($1, now())', [FILE]);
        },
        { timeoutMs: 0 },
      );
    } catch (error) {
      throw new EiderError('SEED_FAILED', `${FILE} could not be loaded: ${messageOf(error)}`, { cause: error });
    }
    this.#logger.log('the sample data was loaded');
    return true;
  }

  async #isUntouched(): Promise<boolean> {
    const seeds = await this.database.read((session) => session.first('SELECT 1 FROM schema_seeds LIMIT 1'));
    if (seeds !== undefined) return false;
    const counts = await this.database.tableCounts();
    return counts.every(({ name, rows }) => rows === 0 || name === 'schema_migrations');
  }
}
