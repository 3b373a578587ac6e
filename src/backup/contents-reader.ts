import { Logger } from '../runtime/injection.js';
import type { DatabaseService } from '../database/database.service.js';
import type { TableCount } from '../database/table-counts.js';
import type { FilePosition } from '../duckdb-format/file-position.js';
import { messageOf } from '../errors/eider-error.js';
import type { ManifestTable } from '../repository/manifest.js';

/** What DuckDB says of an image, at its last commit. */
export interface ImageContents {
  readonly position: FilePosition;
  /** Exact where no commit came in while they were read. */
  readonly tables: readonly ManifestTable[];
}

/** What a database was written by. */
export interface ImageVersions {
  /** As `SELECT version()` tells it, such as `v1.5.6`. */
  readonly duckdbVersion: string;
  /** The newest migration; null where there are none. */
  readonly schemaVersion: number | null;
}

/** How the contents are read. */
export interface ContentsOptions {
  /** Nobody waits for this backup: there is time to hash the contents of a small database. */
  readonly hashesTables: boolean;
  readonly signal?: AbortSignal;
}

/** Databases up to this size are read by DuckDB for each backup, too, so that a trial restore can compare contents: a second or so. */
const MOST_HASHED = 256 * 1024 * 1024;

/** How often row counts are taken again when commits come in between. */
const COUNT_TRIES = 3;

/** Asks DuckDB what an image holds. */
export class ContentsReader {
  readonly #logger = new Logger('Backup');

  constructor(private readonly database: DatabaseService) {}

  async versions({ signal }: ContentsOptions): Promise<ImageVersions> {
    return this.database.read(async (session) => {
      const engine = await session.first<{ version: string }>('SELECT version() AS version');
      const migrated = await session.first(
        "SELECT 1 FROM duckdb_tables() WHERE schema_name = 'main' AND table_name = 'schema_migrations'",
      );
      const schema =
        migrated === undefined
          ? undefined
          : await session.first<{ version: number | null }>(
              'SELECT max(version)::INTEGER AS version FROM schema_migrations',
            );
      return { duckdbVersion: engine?.version ?? '', schemaVersion: schema?.version ?? null };
    }, only(signal));
  }

  /** The last commit, and how many rows each table has there: exact where no commit came between. */
  async contents(options: ContentsOptions): Promise<ImageContents> {
    for (let attempt = 1; ; attempt++) {
      const before = await this.database.position();
      const counts = await this.#readTables(options, attempt);
      const position = await this.database.position();
      const exact = before.iteration === position.iteration && before.offset === position.offset;
      if (exact || attempt === COUNT_TRIES) {
        return { position, tables: counts.map((table) => ({ ...table, exact, hash: exact ? table.hash : null })) };
      }
    }
  }

  /** Counting is repeated where commits come in between; hashing takes longer, so it is tried once. */
  async #readTables(
    { hashesTables, signal }: ContentsOptions,
    attempt: number,
  ): Promise<(TableCount & { hash: string | null })[]> {
    if (attempt === 1 && hashesTables && this.database.files.size() <= MOST_HASHED) {
      try {
        return await this.database.tableHashes(only(signal));
      } catch (error) {
        signal?.throwIfAborted();
        // Little memory must not keep a backup from being taken; it is the blocks that matter.
        this.#logger.warn(`contents were not hashed: ${messageOf(error)}`);
      }
    }
    const counts = await this.database.tableCounts(only(signal));
    return counts.map((table) => ({ ...table, hash: null }));
  }
}

function only(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
