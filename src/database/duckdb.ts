import { createRequire } from 'node:module';

type DuckDB = typeof import('@duckdb/node-api');

const require = createRequire(import.meta.url);

/**
 * DuckDB's binding, loaded when it is first asked for: most commands open no database.
 *
 * Not by `import`, for which Node reads each of its 180 files twice, first to find out what it exports: 0.15 s of
 * processor time at every start, and in every process that checks a restored file.
 */
export function duckdb(): DuckDB {
  const binding: DuckDB = require('@duckdb/node-api');
  return binding;
}
