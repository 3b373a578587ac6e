import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { closeSync, openSync } from 'node:fs';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseService } from '../../../src/database/database.service.js';
import { inspectDatabaseFile } from '../../../src/database/inspect.js';
import { databaseAt, lockIsListed, secondProcessGetsIn, testFolder } from './open-database.js';

describe('the lock on the database file', () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;
  let path: string;
  let database: DatabaseService;

  beforeEach(async () => {
    folder = await testFolder();
    path = join(folder.path, 'hesocial.duckdb');
    database = databaseAt(path);
    await database.open();
    await database.write((session) => session.runScript('CREATE TABLE t (i INTEGER); INSERT INTO t VALUES (1)'));
  });

  afterEach(async () => {
    await database.close();
    await folder.remove();
  });

  const insert = () => database.write((session) => session.run('INSERT INTO t SELECT range FROM range(10)'));

  const operations: Record<string, () => Promise<unknown>> = {
    'opening again': () => database.open(),
    reading: () => database.read((session) => session.all('FROM t')),
    writing: insert,
    'a transaction': () => database.transaction((session) => session.run('INSERT INTO t VALUES (2)')),
    'a transaction that is rolled back': () =>
      database
        .transaction(async (session) => {
          await session.run('INSERT INTO t VALUES (3)');
          throw new Error('no');
        })
        .catch(() => {}),
    'a query that is cancelled': () =>
      database
        .read((session) => session.all('SELECT count(*) FROM range(1000000000000) WHERE range % 7 = 3'), {
          timeoutMs: 20,
        })
        .catch(() => {}),
    'a guarded checkpoint': () => database.guardCheckpoint(insert),
    'looking at the files': async () => {
      const { files } = database;
      return [files.header(), files.size(), files.wal(), files.mainDescriptor(), files.commitsInLog()];
    },
    position: () => database.position(),
    'counting tables': () => database.tableCounts(),
    'checkpoints that replace the log, each log looked at': async () => {
      for (let round = 0; round < 4; round++) {
        await insert();
        await database.position();
        expect(await database.checkpoint({ timeoutMs: 1_000 })).toBe(true);
      }
      await insert();
      await database.position();
    },
    'a checkpoint held and released': async () => {
      const release = await database.holdCheckpoints();
      release();
    },
    'pausing and resuming writes': async () => {
      await database.pauseWrites('test');
      database.resumeWrites('test');
    },
    'inspecting the file by mistake': async () => {
      expect(await inspectDatabaseFile(path)).toMatchObject({ kind: 'refused', error: { code: 'DATABASE_LOCKED' } });
    },
    'opening it a second time in this process': () =>
      expect(databaseAt(path).open()).rejects.toMatchObject({ code: 'DATABASE_LOCKED' }),
    'opening it a second time through a symbolic link': async () => {
      const link = join(folder.path, 'link.duckdb');
      await symlink(path, link);
      await expect(databaseAt(link).open()).rejects.toMatchObject({ code: 'DATABASE_LOCKED' });
    },
  };

  it.each(Object.keys(operations))('keeps a second process out after %s', async (name) => {
    await operations[name]?.();
    expect(lockIsListed(path)).toBe(true);
    expect(await secondProcessGetsIn(path)).toBe(false);
  });

  it('is lost when any descriptor of the file is closed: the trap, and the proof that these tests see it', async () => {
    await database.checkpoint({ timeoutMs: 1_000 });
    closeSync(openSync(path, 'r'));
    expect(lockIsListed(path)).toBe(false);
    expect(await secondProcessGetsIn(path)).toBe(true);
  });

  it('is given up when the database is closed', async () => {
    await database.close();
    expect(lockIsListed(path)).toBe(false);
    expect(await secondProcessGetsIn(path)).toBe(true);
  });
});
