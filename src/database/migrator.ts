import { Inject, Injectable, Logger, Optional } from '@nestjs/common';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EiderError, messageOf } from '../errors/eider-error.js';
import { Clock } from '../runtime/clock.js';
import { DatabaseService } from './database.service.js';
import { type Migration, readMigrations, SQL_FOLDER } from './migration-files.js';
import type { Session } from './session.js';

/** Token for another folder than `database/`; tests use it. */
export const SQL_FOLDER_TOKEN = Symbol('SQL_FOLDER');

interface Applied {
  readonly version: number;
  readonly name: string;
  readonly sha256: string;
  readonly backward_compatible: boolean;
}

export interface MigrationPlan {
  /** The newest migration of the database; 0 where there is none. */
  readonly current: number;
  readonly pending: readonly Migration[];
}

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
    const newestKnown = files.at(-1)?.version ?? 0;
    checkUnknown(
      applied.filter(({ version }) => version > newestKnown),
      newestKnown,
    );
    const byVersion = new Map(applied.map((row) => [row.version, row]));
    for (const row of applied) checkKnown(row, files[row.version - 1]);
    return {
      current: applied.at(-1)?.version ?? 0,
      pending: files.filter(({ version }) => !byVersion.has(version)),
    };
  }

  /** Applies what is pending, each migration in a transaction of its own. Throws as `plan` does, and MIGRATION_FAILED. */
  async migrate(): Promise<void> {
    const { pending } = await this.plan();
    if (pending.length === 0) return;
    const support = await readFile(join(this.#folder, 'duckdb-migration-support.sql'), 'utf8');
    await this.database.transaction((session) => session.runScript(support), { timeoutMs: 0 });
    for (const migration of pending) await this.#apply(migration);
  }

  async #apply(migration: Migration): Promise<void> {
    const started = this.clock.monotonicMs();
    const label = `${String(migration.version).padStart(4, '0')}-${migration.name}`;
    try {
      await this.database.transaction(
        async (session) => {
          await session.runScript(migration.sql);
          await session.run('INSERT INTO schema_migrations VALUES ($1, $2, $3, $4, $5, $6)', [
            migration.version,
            migration.name,
            migration.sha256,
            this.clock.now().toISOString(),
            Math.round(this.clock.monotonicMs() - started),
            migration.backwardCompatible,
          ]);
        },
        { timeoutMs: 0 },
      );
    } catch (error) {
      throw new EiderError('MIGRATION_FAILED', `${label}.sql failed: ${messageOf(error)}`, { cause: error });
    }
    this.#logger.log(`${label} applied in ${Math.round(this.clock.monotonicMs() - started)} ms`);
  }

  async #applied(session: Session): Promise<Applied[]> {
    const table = await session.first(
      "SELECT 1 FROM duckdb_tables() WHERE database_name = current_database() AND schema_name = 'main' AND table_name = 'schema_migrations'",
    );
    if (table === undefined) return [];
    return session.all<Applied>(
      'SELECT version, name, sha256, backward_compatible FROM schema_migrations ORDER BY version',
    );
  }
}

function checkUnknown(unknown: readonly Applied[], newestKnown: number): void {
  const blocking = unknown.filter((row) => !row.backward_compatible);
  if (blocking.length === 0) return;
  const names = blocking.map(({ version, name }) => `${String(version).padStart(4, '0')}-${name}`).join(', ');
  throw new EiderError(
    'SCHEMA_NEWER',
    `The database has had ${names}; this release knows migrations up to ${newestKnown} and they are not marked backward compatible.`,
  );
}

function checkKnown(row: Applied, file: Migration | undefined): void {
  if (file === undefined || (file.sha256 === row.sha256 && file.name === row.name)) return;
  throw new EiderError(
    'MIGRATION_CHANGED',
    `Migration ${row.version} was applied as ${row.name} (SHA-256 ${row.sha256.slice(0, 12)}…) and is now ${file.name} (${file.sha256.slice(0, 12)}…).`,
  );
}
