import { quoteIdentifier } from './catalog-name.js';

/**
 * A query for what a table holds: the number of its rows, and the sum of the hashes of all rows in decimal. Equal contents
 * give equal sums, whatever the order, by DuckDB of one version.
 *
 * Reads every value. Columns `rows` and `hash`, both VARCHAR.
 */
export function tableContentsQuery(catalog: string, schema: string, name: string): string {
  const table = [catalog, schema, name].map(quoteIdentifier).join('.');
  return `SELECT count(*)::VARCHAR AS rows, coalesce(sum(hash(t)), 0)::VARCHAR AS hash FROM ${table} AS t`;
}
