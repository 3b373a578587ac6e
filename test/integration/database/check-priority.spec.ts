import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { DuckDBInstance } from '@duckdb/node-api';
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { checkDatabase } from '../../../src/database/database-check.js';
import { temporaryFolder } from '../../support/core.js';

const onLinux = process.platform === 'linux' ? it : it.skip;
let folder: { path: string; remove: () => Promise<void> };
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

onLinux('the threads that check a file have a lower priority than those of this process', async () => {
  const path = join(folder.path, 'checked.duckdb');
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  await connection.run('CREATE TABLE numbers AS SELECT range AS n, md5(range::VARCHAR) AS text FROM range(500000)');
  connection.closeSync();
  instance.closeSync();

  let seen: number[] = [];
  const watch = setInterval(() => {
    const now = children().flatMap(nicenessOfThreads);
    if (now.length >= seen.length) seen = now;
  }, 5);
  await checkDatabase({ path, catalog: 'checked' }, undefined).finally(() => clearInterval(watch));
  // The main thread, libuv's four and at least one of DuckDB's. Some of V8's may have begun before.
  expect(seen.filter((niceness) => niceness === getPriority() + 10).length).toBeGreaterThanOrEqual(6);
});

function children(): string[] {
  return readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean);
}

function nicenessOfThreads(pid: string): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => {
      const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
    });
  } catch {
    // It has ended meanwhile.
    return [];
  }
}
