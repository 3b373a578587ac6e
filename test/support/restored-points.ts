import { DuckDBInstance } from '@duckdb/node-api';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { quoteLiteral } from '../../src/database/catalog-name.js';
import type { PointTarget, RestorePoint } from '../../src/repository/point-in-time.js';
import type { Query } from './concurrent-writers.js';
import type { TestCore } from './core.js';

/**
 * Restores a point into a file, and looks at it with DuckDB in this process: the checking process of a real restore takes
 * a second to start, and has tests of its own. The core needs R2_VALIDATE_DOWNLOADS=false.
 */
export async function withRestored<T>(
  core: TestCore,
  target: PointTarget,
  work: (query: Query, point: RestorePoint | undefined) => Promise<T>,
): Promise<T> {
  const found = await core.restores.find(target);
  const path = join(core.folder, `point-${process.hrtime.bigint()}.duckdb`);
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  try {
    const copy = await core.restores.prepare(found, { target: path });
    const connection = await instance.connect();
    try {
      await connection.run(`ATTACH ${quoteLiteral(copy.path)} AS hesocial`);
      await connection.run('USE hesocial');
      const query: Query = async <R>(sql: string) => (await connection.runAndReadAll(sql)).getRowObjectsJS() as R[];
      const result = await work(query, found.kind === 'eider' ? found.point : undefined);
      await connection.run('USE memory');
      await connection.run('DETACH hesocial');
      return result;
    } finally {
      connection.closeSync();
      instance.closeSync();
      await core.restores.discard(copy);
    }
  } finally {
    await rm(path, { force: true });
  }
}
