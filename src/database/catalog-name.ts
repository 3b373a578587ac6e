import { basename } from 'node:path';

/** Catalogs and the schema that every instance has: DuckDB does not tell a database of such a name from them, in any case. */
const TAKEN = new Set(['main', 'temp', 'system', 'memory']);

/**
 * The catalog name of a database file: what DuckDB would call it if it were opened directly, so that views which name
 * their catalog keep working. Names that are taken are changed, in capitals as well: `USE "Main"` means the schema `main`
 * of the instance's own memory, and what is written there is lost. Found by experiment on 1.5.6 (`AttachInfo` and
 * `DBPathAndType::ExtractDatabaseName`).
 */
export function catalogNameOf(path: string): string {
  const name = basename(path).replace(/^\.+/, '').split('.')[0] || 'db';
  return TAKEN.has(name.toLowerCase()) ? `${name}_db` : name;
}

/** A name as an SQL identifier. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as an SQL literal. */
export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
