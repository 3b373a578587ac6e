import { quoteIdentifier } from './catalog-name.js';
import type { Session } from './session.js';

/** A table and its number of rows. */
export interface TableCount {
  readonly schema: string;
  readonly name: string;
  readonly rows: number;
}

/**
 * Counts every table of a catalog. DuckDB keeps counts by row group, so this reads next to nothing.
 *
 * @param session - in a transaction, as `DatabaseService.read` gives it: otherwise a table could be dropped between being
 *   listed and being counted
 */
export async function countTables(session: Session, catalog: string): Promise<TableCount[]> {
  const tables = await session.all<{ schema: string; name: string }>(
    'SELECT schema_name AS schema, table_name AS name FROM duckdb_tables() WHERE database_name = $1 ORDER BY 1, 2',
    [catalog],
  );
  const counts: TableCount[] = [];
  for (const { schema, name } of tables) {
    const table = [catalog, schema, name].map(quoteIdentifier).join('.');
    const counted = await session.first<{ rows: bigint }>(`SELECT count(*) AS rows FROM ${table}`);
    counts.push({ schema, name, rows: Number(counted?.rows ?? 0) });
  }
  return counts;
}
