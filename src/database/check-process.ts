import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { totalmem } from 'node:os';
import { messageOf } from '../errors/eider-error.js';
import { quoteIdentifier as identifier, quoteLiteral as literal } from './catalog-name.js';
import { checkMemory } from './check-memory.js';
import type { CheckedTable, CheckReply, CheckTask } from './check-task.js';
import { duckdb } from './duckdb.js';
import { tableContentsQuery } from './table-contents.js';

/**
 * Opens a restored file as a disposable process: a corrupt one can take the whole DuckDB instance down with it.
 *
 * The file is attached to an in-memory instance, which replays logs that opening it directly does not (duckdb#19712),
 * every value of every table is read, and a checkpoint folds the log, so that one file remains.
 */
process.once('message', (task: CheckTask) => {
  void check(task)
    .catch((error: unknown): CheckReply => ({
      ok: false,
      message: messageOf(error),
    }))
    .then((reply) => {
      // The parent may be gone; then nobody waits for an answer.
      process.send?.(reply, () => process.exit(0));
    });
});
process.once('disconnect', () => process.exit(1));
// The file may still be being fetched: what takes a while to load is there when the task comes.
const loaded = createInstance();
loaded.catch(() => {});

async function createInstance(): Promise<DuckDBInstance> {
  const memory = checkMemory(process.constrainedMemory(), totalmem());
  return duckdb().DuckDBInstance.create(':memory:', { threads: '2', memory_limit: `${memory}B` });
}

async function check({ path, catalog }: CheckTask): Promise<CheckReply> {
  const started = performance.now();
  const instance = await loaded;
  const connection = await instance.connect();
  await connection.run(`ATTACH ${literal(path)} AS ${identifier(catalog)}`);
  const version = (await connection.runAndReadAll('SELECT version()')).getRows()[0]?.[0];
  const tables: CheckedTable[] = [];
  for (const { schema, name } of await tablesOf(connection, catalog)) {
    tables.push(await readTable(connection, catalog, schema, name));
  }
  await connection.run(`CHECKPOINT ${identifier(catalog)}`);
  await connection.run(`DETACH ${identifier(catalog)}`);
  connection.closeSync();
  instance.closeSync();
  return { ok: true, tables, duckdbVersion: String(version), durationMs: Math.round(performance.now() - started) };
}

async function tablesOf(connection: DuckDBConnection, catalog: string): Promise<{ schema: string; name: string }[]> {
  const reader = await connection.runAndReadAll(
    `SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = ${literal(catalog)} ORDER BY 1, 2`,
  );
  return reader.getRows().map(([schema, name]) => ({ schema: String(schema), name: String(name) }));
}

async function readTable(
  connection: DuckDBConnection,
  catalog: string,
  schema: string,
  name: string,
): Promise<CheckedTable> {
  const reader = await connection.runAndReadAll(tableContentsQuery(catalog, schema, name));
  const [rows, hash] = reader.getRows()[0] ?? [];
  return { schema, name, rows: Number(rows), hash: String(hash) };
}
