import { basename } from 'node:path';

/** Names that DuckDB gives to catalogs of its own. */
const RESERVED = new Set(['temp', 'system', 'memory']);

/**
 * The catalog name of a database file: what DuckDB would call it if it were opened directly, so that views which name
 * their catalog keep working. Source: `ExtractDatabaseName` in DuckDB, found by experiment on 1.5.6.
 */
export function catalogNameOf(path: string): string {
  const name = basename(path).replace(/^\.+/, '').split('.')[0] || 'db';
  return RESERVED.has(name) ? `${name}_db` : name;
}

/** A name as an SQL identifier. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as an SQL literal. */
export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
