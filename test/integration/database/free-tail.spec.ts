import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseService } from '../../../src/database/database.service.js';
import { inspectDatabaseFile } from '../../../src/database/inspect.js';
import { BLOCK_SIZE, blockOffset } from '../../../src/duckdb-format/layout.js';
import { databaseAt, testFolder } from './open-database.js';

describe('a database whose last blocks are free', () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;
  let database: DatabaseService;
  let copy: string;

  const insert = async (): Promise<void> => {
    await database.write((session) => session.run('INSERT INTO t SELECT range FROM range(10)'));
    await database.checkpoint({ timeoutMs: 1_000 });
  };

  beforeEach(async () => {
    folder = await testFolder();
    copy = join(folder.path, 'copy.duckdb');
    database = databaseAt(join(folder.path, 'hesocial.duckdb'));
    await database.open();
    await database.write((session) => session.run('CREATE TABLE t (i BIGINT)'));
  });
  afterEach(async () => {
    await database.close();
    await folder.remove();
  });

  /** Small checkpoints take turns between two blocks, so every second one cuts a free block off the end of the file. */
  const shorten = async (): Promise<void> => {
    for (let round = 0; round < 6; round++) {
      await insert();
      if (database.files.size() < blockOffset(database.files.header().blockCount)) break;
    }
    expect(database.files.size()).toBeLessThan(blockOffset(database.files.header().blockCount));
    // As after a kill. By another process: closing a descriptor here would drop the lock.
    execFileSync('cp', [database.path, copy]);
  };

  it('is whole although the file is shorter than its header counts', async () => {
    await shorten();
    expect(await inspectDatabaseFile(copy)).toMatchObject({ kind: 'ok' });
    const again = databaseAt(copy);
    await again.open();
    await again.close();
  });

  it('is cut where a block in use is missing, too', async () => {
    await shorten();
    truncateSync(copy, statSync(copy).size - BLOCK_SIZE);
    expect(await inspectDatabaseFile(copy)).toMatchObject({ kind: 'unreadable', error: { code: 'DATABASE_CORRUPT' } });
    truncateSync(copy, 20_000);
    expect(await inspectDatabaseFile(copy)).toMatchObject({ kind: 'unreadable' });
  });
});
