import { basename } from 'node:path';

/** Names that a file cannot be attached under. */
const RESERVED = new Set(['main', 'temp', 'system']);
/** Names that the instance has already, in any case: its own memory, and catalogs that DuckDB fails to tell apart. */
const TAKEN = new Set(['memory', 'system']);

/**
 * The catalog name of a database file: what DuckDB would call it if it were opened directly, so that views which name
 * their catalog keep working; `memory` alone is taken by the instance that the file is attached to. Found by experiment on
 * 1.5.6 (`AttachInfo` and `DBPathAndType::ExtractDatabaseName`).
 */
export function catalogNameOf(path: string): string {
  const name = basename(path).replace(/^\.+/, '').split('.')[0] || 'db';
  return RESERVED.has(name) || TAKEN.has(name.toLowerCase()) ? `${name}_db` : name;
}

/** A name as an SQL identifier. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as an SQL literal. */
export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
