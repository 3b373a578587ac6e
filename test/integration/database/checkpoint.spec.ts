import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CheckpointWatcher, isCheckpointDue } from '../../../src/database/checkpoint-watcher.js';
import type { DatabaseService } from '../../../src/database/database.service.js';
import { COMMIT_MARKER } from '../../../src/duckdb-format/wal.js';
import { Clock } from '../../../src/runtime/clock.js';
import { foreignCheckpoint } from '../../support/core.js';
import { databaseAt, databaseRules, gate, testFolder } from './open-database.js';

describe('checkpoints', () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;
  let path: string;
  let database: DatabaseService;

  beforeEach(async () => {
    folder = await testFolder();
    path = join(folder.path, 'hesocial.duckdb');
    database = databaseAt(path);
    await database.open();
    await database.write((session) => session.run('CREATE TABLE t (i INTEGER, word VARCHAR)'));
  });

  afterEach(async () => {
    await database.close();
    await folder.remove();
  });

  const insert = (count = 1) =>
    database.write((session) => session.run(`INSERT INTO t SELECT range, 'word' FROM range(${count})`));

  it('never happen by themselves, not even for commits far above the thresholds of DuckDB', async () => {
    const before = await database.position();
    await insert(1_000_000);
    await database.write((session) => session.run('UPDATE t SET i = i + 1'));
    await database.write((session) => session.run('CREATE INDEX i ON t (i)'));
    await database.write((session) => session.run('VACUUM'));
    const after = await database.position();
    expect(after.iteration).toBe(before.iteration);
    expect(after.offset).toBeGreaterThan(before.offset);
  });

  it('fold the log into the file and count the iteration up', async () => {
    const before = await database.position();
    expect(before.offset).toBeGreaterThan(0);
    expect(await database.checkpoint()).toBe(true);
    expect(await database.position()).toEqual({ iteration: before.iteration + 1, offset: 0 });
    expect(existsSync(`${path}.wal`)).toBe(false);
  });

  it('are reported as blocked when an update stays open, and done when it ends', async () => {
    await insert();
    const updated = gate();
    const end = gate();
    const update = database.transaction(async (session) => {
      await session.run('UPDATE t SET i = 7');
      updated.open();
      await end.opened;
    });
    await updated.opened;
    expect(await database.checkpoint({ timeoutMs: 50 })).toBe(false);
    expect(database.checkpointObstacle).toMatch(/a write of this service/);
    const retried = database.checkpoint({ timeoutMs: 30_000 });
    end.open();
    await update;
    expect(await retried).toBe(true);
  });

  it('wait for the writes under way, which DuckDB does not, and are given up where those do not end', async () => {
    await insert(10);
    const deleted = gate();
    const end = gate();
    const open = database.transaction(async (session) => {
      await session.run('DELETE FROM t WHERE i = 5');
      deleted.open();
      await end.opened;
    });
    await deleted.opened;
    const before = await database.position();
    expect(await database.checkpoint({ timeoutMs: 30 })).toBe(false);
    // Nobody waits for a checkpoint that was given up.
    await insert(1);
    const checkpoint = database.checkpoint({ timeoutMs: 30_000 });
    end.open();
    await open;
    expect(await checkpoint).toBe(true);
    expect(await database.position()).toEqual({ iteration: before.iteration + 1, offset: 0 });
  });

  it.each(['CHECKPOINT', 'force checkpoint', 'SELECT 1;\n CHECKPOINT', 'PRAGMA force_checkpoint'])(
    'are not for the application, which is told what to call: %s',
    async (sql) => {
      const remedy = 'call DatabaseService.checkpoint()';
      await expect(database.write((session) => session.run(sql))).rejects.toThrow(remedy);
      await expect(database.write((session) => session.runScript(sql))).rejects.toThrow(remedy);
      await database.write((session) => session.run("INSERT INTO t VALUES (1, 'at the checkpoint')"));
    },
  );

  it('tell that a reader is in the way, which is older than an update', async () => {
    await insert();
    const reading = gate();
    const end = gate();
    const reader = database.read(async (session) => {
      await session.first('SELECT count(*) FROM t');
      reading.open();
      await end.opened;
    });
    await reading.opened;
    await database.write((session) => session.run('UPDATE t SET i = i + 1'));
    expect(await database.checkpoint({ timeoutMs: 50 })).toBe(false);
    expect(database.checkpointObstacle).toMatch(/a reader/);
    end.open();
    await reader;
    expect(await database.checkpoint({ timeoutMs: 5_000 })).toBe(true);
    expect(database.checkpointObstacle).toBeUndefined();
  });

  it('wait while they are held, also for those who hold them later', async () => {
    const { iteration } = await database.position();
    const first = await database.holdCheckpoints();
    let done = false;
    const checkpoint = database.checkpoint().then((result) => (done = result));
    const second = await database.holdCheckpoints();
    first();
    first();
    await insert();
    expect(done).toBe(false);
    expect((await database.position()).iteration).toBe(iteration);
    second();
    await checkpoint;
    expect(done).toBe(true);
    expect((await database.position()).iteration).toBe(iteration + 1);
  });

  it("cannot happen under the guard, not even a user's own, while commits go on", async () => {
    const before = await database.position();
    await database.guardCheckpoint(async () => {
      await insert();
      await expect(database.write(foreignCheckpoint)).rejects.toThrow('Cannot CHECKPOINT');
      expect(await database.checkpoint({ timeoutMs: 50 })).toBe(false);
    });
    const after = await database.position();
    expect(after.iteration).toBe(before.iteration);
    expect(after.offset).toBeGreaterThan(before.offset);
    expect(await database.checkpoint()).toBe(true);
  });

  it('can happen again after work under the guard has failed', async () => {
    await expect(database.guardCheckpoint(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await database.checkpoint()).toBe(true);
  });

  it('that wait for a hold are refused when the database is closed', async () => {
    await database.holdCheckpoints();
    const refused = expect(database.checkpoint()).rejects.toMatchObject({ code: 'DATABASE_CLOSED' });
    await database.close();
    await refused;
  });

  it('let the database be closed only when no guard is open', async () => {
    const guarded = gate();
    const end = gate();
    const guard = database.guardCheckpoint(async () => {
      guarded.open();
      await end.opened;
    });
    await guarded.opened;
    let closed = false;
    const closing = database.close().then(() => (closed = true));
    await new Promise((resolve) => setImmediate(resolve));
    await expect(database.read(() => Promise.resolve())).rejects.toMatchObject({ code: 'DATABASE_CLOSED' });
    expect(closed).toBe(false);
    end.open();
    await guard;
    await closing;
  });
});

describe('the position', () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;
  let path: string;
  let database: DatabaseService;

  beforeEach(async () => {
    folder = await testFolder();
    path = join(folder.path, 'hesocial.duckdb');
    database = databaseAt(path);
    await database.open();
  });

  afterEach(async () => {
    await database.close();
    await folder.remove();
  });

  it('has offset 0 while there is no log', async () => {
    expect((await database.position()).offset).toBe(0);
  });

  it('is the end of the last commit marker, after every kind of commit', async () => {
    const statements = [
      'CREATE TABLE t (i INTEGER PRIMARY KEY, s VARCHAR)',
      "INSERT INTO t SELECT range, 'x' FROM range(300000)",
      'UPDATE t SET s = NULL WHERE i < 5000',
      'DELETE FROM t WHERE i > 299000',
      'CREATE SEQUENCE s',
      'CREATE VIEW v AS FROM t',
      'ALTER TABLE t ADD COLUMN j INTEGER DEFAULT 3',
      'CREATE INDEX t_j ON t (j)',
      'DROP VIEW v',
    ];
    let last = 0;
    for (const statement of statements) {
      await database.write((session) => session.run(statement));
      const { offset } = await database.position();
      const log = readFileSync(`${path}.wal`);
      expect(offset).toBe(log.length);
      expect(log.subarray(offset - COMMIT_MARKER.length, offset)).toEqual(COMMIT_MARKER);
      expect(offset).toBeGreaterThan(last);
      last = offset;
    }
    expect(database.files.commitsInLog()).toBe(statements.length);
  });

  it('does not move for a transaction that is open or rolled back', async () => {
    await database.write((session) => session.run('CREATE TABLE t (i INTEGER)'));
    const before = await database.position();
    await expect(
      database.transaction(async (session) => {
        await session.run('INSERT INTO t SELECT * FROM range(500000)');
        expect(await database.position()).toEqual(before);
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await database.position()).toEqual(before);
  });
});

describe('the checkpoint watcher', () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;
  let path: string;
  let database: DatabaseService;

  /** Time passes when a test says so. */
  class SteppedClock extends Clock {
    readonly slept = gate();
    #wake = gate();

    override async sleep(ms: number, signal?: AbortSignal): Promise<void> {
      if (signal === undefined) return super.sleep(ms);
      this.slept.open();
      await Promise.race([
        this.#wake.opened,
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped')))),
      ]);
      this.#wake = gate();
    }

    step(): void {
      this.#wake.open();
    }
  }

  beforeEach(async () => {
    folder = await testFolder();
    path = join(folder.path, 'hesocial.duckdb');
    database = databaseAt(path);
    await database.open();
    await database.write((session) => session.run('CREATE TABLE t (i INTEGER, word VARCHAR)'));
  });

  afterEach(async () => {
    await database.close();
    await folder.remove();
  });

  const watcher = (clock = new Clock()) =>
    new CheckpointWatcher(databaseRules(path, { CHECKPOINT_WAL_MIB: '1' }), database, clock);

  it('leaves a small log alone', async () => {
    expect(await watcher().look()).toBe(false);
    expect(existsSync(`${path}.wal`)).toBe(true);
  });

  it('folds a log that has reached the size', async () => {
    await database.write((session) => session.run("INSERT INTO t SELECT range, repeat('word', 50) FROM range(20000)"));
    expect(await watcher().look()).toBe(true);
    expect(existsSync(`${path}.wal`)).toBe(false);
  });

  it.each([
    { size: 0, commits: 0, due: false },
    { size: 1_000_000, commits: 19_999, due: false },
    { size: 1_000_000, commits: 20_000, due: true },
    { size: 67_108_863, commits: 1, due: false },
    { size: 67_108_864, commits: 1, due: true },
  ])('counts commits as well as bytes, since each is slow to replay: %o', ({ size, commits, due }) => {
    expect(isCheckpointDue(size, () => commits, 67_108_864)).toBe(due);
  });

  it('starts once, looks at each tick, and stops for good', async () => {
    const clock = new SteppedClock();
    const running = watcher(clock);
    running.start();
    running.start();
    await clock.slept.opened;
    clock.step();
    await running.stop();
    await running.stop();
  });

  it('does nothing while the database is closed', async () => {
    await database.close();
    expect(await watcher().look()).toBe(false);
  });
});
