import { Inject, Injectable, Logger, Optional } from '../runtime/injection.js';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EiderError, messageOf } from '../errors/eider-error.js';
import { Clock } from '../runtime/clock.js';
import { DatabaseService } from './database.service.js';
import { type Migration, readMigrations, SQL_FOLDER } from './migration-files.js';
import { type AppliedMigration, labelOf, type MigrationPlan, planMigrations } from './migration-plan.js';
import type { Session } from './session.js';

/** Token for another folder than `database/`; tests use it. */
export const SQL_FOLDER_TOKEN = Symbol('SQL_FOLDER');

/** Takes its time, and passes the write gate: a restore migrates before it lets writers in again. */
const MIGRATING = { timeoutMs: 0, whilePaused: true } as const;

/** Brings the schema up to date. */
@Injectable()
export class Migrator {
  readonly #logger = new Logger('Migrations');
  readonly #folder: string;

  constructor(
    private readonly database: DatabaseService,
    private readonly clock: Clock,
    @Optional() @Inject(SQL_FOLDER_TOKEN) folder: string | undefined,
  ) {
    this.#folder = folder ?? SQL_FOLDER;
  }

  /**
   * Compares the files with what the database has had.
   *
   * @throws EiderError MIGRATION_CHANGED, MIGRATION_INVALID; SCHEMA_NEWER when the database has had migrations that this
   *   release does not know and that are not marked backward compatible
   */
  async plan(): Promise<MigrationPlan> {
    const files = await readMigrations(join(this.#folder, 'migrations'));
    const applied = await this.database.read((session) => this.#applied(session));
    return planMigrations(files, applied);
  }

  /** Applies what is pending, each migration in a transaction of its own. Throws as `plan` does, and MIGRATION_FAILED. */
  async migrate(): Promise<void> {
    const { pending } = await this.plan();
    if (pending.length === 0) return;
    const support = await readFile(join(this.#folder, 'duckdb-migration-support.sql'), 'utf8');
    await this.database.transaction((session) => session.runScript(support), MIGRATING);
    for (const migration of pending) await this.#apply(migration);
  }

  async #apply(migration: Migration): Promise<void> {
    const started = this.clock.monotonicMs();
    const label = labelOf(migration);
    try {
      await this.database.transaction(async (session) => {
        await session.runScript(migration.sql);
        await session.run('INSERT INTO schema_migrations VALUES ($1, $2, $3, $4, $5, $6)', [
          migration.version,
          migration.name,
          migration.sha256,
          this.clock.now().toISOString(),
          Math.round(this.clock.monotonicMs() - started),
          migration.backwardCompatible,
        ]);
      }, MIGRATING);
    } catch (error) {
      throw new EiderError('MIGRATION_FAILED', `${label}.sql failed: ${messageOf(error)}`, { cause: error });
    }
    this.#logger.log(`${label} applied in ${Math.round(this.clock.monotonicMs() - started)} ms`);
  }

  async #applied(session: Session): Promise<AppliedMigration[]> {
    const table = await session.first(
      "SELECT 1 FROM duckdb_tables() WHERE database_name = current_database() AND schema_name = 'main' AND table_name = 'schema_migrations'",
    );
    if (table === undefined) return [];
    return session.all<AppliedMigration>(
      'SELECT version, name, sha256, backward_compatible FROM schema_migrations ORDER BY version',
    );
  }
}
