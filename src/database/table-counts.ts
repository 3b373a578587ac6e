import { quoteIdentifier } from './catalog-name.js';
import type { Session } from './session.js';
import { tableContentsQuery } from './table-contents.js';

/** A table, its number of rows and what they hash to. */
export interface TableHash extends TableCount {
  /** Sum of the hashes of all rows, in decimal. */
  readonly hash: string;
}

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
  const counts: TableCount[] = [];
  for (const { schema, name } of await tablesOf(session, catalog)) {
    const table = [catalog, schema, name].map(quoteIdentifier).join('.');
    const counted = await session.first<{ rows: bigint }>(`SELECT count(*) AS rows FROM ${table}`);
    counts.push({ schema, name, rows: Number(counted?.rows ?? 0) });
  }
  return counts;
}

/** Counts and hashes every table of a catalog; reads every value. As `countTables`. */
export async function hashTables(session: Session, catalog: string): Promise<TableHash[]> {
  const hashes: TableHash[] = [];
  for (const { schema, name } of await tablesOf(session, catalog)) {
    const contents = await session.first<{ rows: string; hash: string }>(tableContentsQuery(catalog, schema, name));
    hashes.push({ schema, name, rows: Number(contents?.rows ?? 0), hash: contents?.hash ?? '0' });
  }
  return hashes;
}

async function tablesOf(session: Session, catalog: string): Promise<{ schema: string; name: string }[]> {
  return session.all(
    'SELECT schema_name AS schema, table_name AS name FROM duckdb_tables() WHERE database_name = $1 ORDER BY 1, 2',
    [catalog],
  );
}
