import { DuckDBInstance } from '@duckdb/node-api';
import { join } from 'node:path';
import type { PointTarget } from '../../src/repository/point-in-time.js';
import type { TestCore } from './core.js';

/** Restores a point beside the database and queries it, its log replayed; nothing of it stays. `hesocial` is its name. */
export async function restoredRows(core: TestCore, target: PointTarget, sql: string): Promise<unknown[][]> {
  const file = join(core.folder, 'point.duckdb');
  const copy = await core.restores.prepare(await core.restores.find(target), { target: file });
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    await connection.run(`ATTACH '${copy.path}' AS hesocial`);
    await connection.run('USE hesocial.main');
    return (await connection.runAndReadAll(sql)).getRows();
  } finally {
    connection.closeSync();
    instance.closeSync();
    await core.restores.discard(copy);
  }
}
