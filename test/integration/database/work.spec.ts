import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseService } from '../../../src/database/database.service.js';
import { databaseAt, gate, lockIsListed, testFolder } from './open-database.js';

/** Runs until it is interrupted. */
const ENDLESS = 'SELECT count(*) FROM range(100000000000000) WHERE range % 7 = 3';

/** Does something after so many turns of the event loop. */
function afterTurns(turns: number, action: () => void): void {
  if (turns === 0) action();
  else setImmediate(() => afterTurns(turns - 1, action));
}

describe('work on the database', () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;
  let path: string;
  let database: DatabaseService;

  beforeEach(async () => {
    folder = await testFolder();
    path = join(folder.path, 'deep', 'folder', 'hesocial.duckdb');
    database = databaseAt(path, { DUCKDB_POOL_SIZE: '3' });
    await database.open();
    await database.write((session) => session.run('CREATE TABLE t (i INTEGER PRIMARY KEY, s VARCHAR)'));
  });

  afterEach(async () => {
    await database.close();
    await folder.remove();
  });

  const count = async () => {
    const row = await database.read((session) => session.first<{ n: bigint }>('SELECT count(*) AS n FROM t'));
    return Number(row?.n);
  };
  const insert = (i: number) => database.write((session) => session.run('INSERT INTO t VALUES ($1, NULL)', [i]));

  it('takes parameters by position and by name, and never as text', async () => {
    const evil = "'); DROP TABLE t; --";
    await database.write((session) => session.run('INSERT INTO t VALUES ($1, $2)', [1, evil]));
    const { rowsChanged } = await database.write((session) =>
      session.run('INSERT INTO t VALUES ($id, $text)', { id: 2, text: evil }),
    );
    expect(rowsChanged).toBe(1);
    expect(await database.read((session) => session.all('SELECT * FROM t ORDER BY i'))).toEqual([
      { i: 1, s: evil },
      { i: 2, s: evil },
    ]);
    expect(await database.read((session) => session.first('SELECT 1 FROM t WHERE i = $1', [99]))).toBeUndefined();
  });

  it('that leaves a transaction open fails, and no other work gets into that transaction', async () => {
    const left = database.write(async (session) => {
      await session.run('BEGIN TRANSACTION');
      await session.run('INSERT INTO t VALUES (1, NULL)');
    });
    await expect(left).rejects.toThrow('left a transaction open');
    for (let i = 2; i < 6; i++) await insert(i);
    await database.close();
    await database.open();
    expect(await count()).toBe(4);
  });

  it('in a transaction of its own that it ends is kept', async () => {
    await database.write((session) => session.runScript('BEGIN; INSERT INTO t VALUES (1, NULL); COMMIT'));
    expect(await count()).toBe(1);
  });

  it.each([['USE memory.main'], ["SET schema = 'memory.main'"], ['/* of mine */ USE memory.main']])(
    'that goes into another database leaves nobody else there: %s',
    async (statement) => {
      await database.write((session) => session.run(statement));
      for (let i = 1; i < 4; i++) await insert(i);
      await database.close();
      await database.open();
      expect(await count()).toBe(3);
    },
  );

  it('in a transaction is kept whole or not at all', async () => {
    await database.transaction(async (session) => {
      await session.run('INSERT INTO t VALUES (1, NULL)');
      await session.run('INSERT INTO t VALUES (2, NULL)');
    });
    await expect(
      database.transaction(async (session) => {
        await session.run('INSERT INTO t VALUES (3, NULL)');
        await session.run('INSERT INTO t VALUES (1, NULL)');
      }),
    ).rejects.toThrow('Duplicate key');
    expect(await count()).toBe(2);
  });

  it('in a transaction begins again after a conflict, as often as it was told', async () => {
    await insert(1);
    let tries = 0;
    const increment = (retries: number) =>
      database.transaction(
        async (session) => {
          tries++;
          await session.first('SELECT s FROM t');
          // Somebody else is faster, twice.
          if (tries <= 2) await database.write((other) => other.run('UPDATE t SET s = $1', [`other ${tries}`]));
          await session.run("UPDATE t SET s = 'mine'");
        },
        { retries },
      );
    await expect(increment(1)).rejects.toThrow('Conflict');
    expect(tries).toBe(2);
    tries = 0;
    await increment(2);
    expect(tries).toBe(3);
    expect(await database.read((session) => session.all('SELECT s FROM t'))).toEqual([{ s: 'mine' }]);
  });

  it('that takes too long is interrupted, and its connection is not used again', async () => {
    await expect(database.read((session) => session.all(ENDLESS), { timeoutMs: 30 })).rejects.toMatchObject({
      code: 'QUERY_TIMEOUT',
    });
    expect(await count()).toBe(0);
  });

  it('that takes too long runs no further statement', async () => {
    await expect(
      database.transaction(
        async (session) => {
          await session.run('INSERT INTO t VALUES (1, NULL)');
          await session.all(ENDLESS).catch(() => {});
          await session.run('INSERT INTO t VALUES (2, NULL)');
        },
        { timeoutMs: 30 },
      ),
    ).rejects.toMatchObject({ code: 'QUERY_TIMEOUT' });
    expect(await count()).toBe(0);
  });

  it('is cancelled by its signal, before and while it runs', async () => {
    const cancelled = { code: 'QUERY_CANCELLED' };
    await expect(
      database.read((session) => session.all('SELECT 1'), { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject(cancelled);
    const stop = new AbortController();
    const query = database.read(
      (session) => {
        setImmediate(() => stop.abort());
        return session.all(ENDLESS);
      },
      { signal: stop.signal },
    );
    await expect(query).rejects.toMatchObject(cancelled);
  });

  it('is cancelled even where its statement only now begins, when DuckDB forgets an interruption', async () => {
    for (let round = 0; round < 50; round++) {
      const stop = new AbortController();
      const query = database.read(
        (session) => {
          const rows = session.all(ENDLESS);
          stop.abort();
          return rows;
        },
        { signal: stop.signal, timeoutMs: 0 },
      );
      await expect(query).rejects.toMatchObject({ code: 'QUERY_CANCELLED' });
    }
  });

  it('is committed or interrupted, never both', async () => {
    const rounds = 100;
    let committed = 0;
    for (let round = 0; round < rounds; round++) {
      const stop = new AbortController();
      const done = database.transaction(
        async (session) => {
          afterTurns(round ** 2, () => stop.abort());
          await session.run('INSERT INTO t VALUES ($1, NULL)', [round]);
        },
        { signal: stop.signal },
      );
      await done.then(
        () => committed++,
        (error: unknown) => expect(error).toMatchObject({ code: 'QUERY_CANCELLED' }),
      );
    }
    expect(committed).toBeGreaterThan(0);
    expect(committed).toBeLessThan(rounds);
    expect(await count()).toBe(committed);
  });

  it('waits for a free connection, within its time, and leaves the queue when that is over', async () => {
    const end = gate();
    const busy = [1, 2, 3].map(() => database.read(() => end.opened));
    await expect(database.read(() => Promise.resolve(), { timeoutMs: 20 })).rejects.toMatchObject({
      code: 'QUERY_TIMEOUT',
    });
    const next = database.read(() => Promise.resolve('my turn'));
    end.open();
    await Promise.all(busy);
    expect(await next).toBe('my turn');
  });

  it('runs in parallel as far as there are connections', async () => {
    const results = await Promise.all(Array.from({ length: 50 }, (_, i) => insert(i)));
    expect(results).toHaveLength(50);
    expect(await count()).toBe(50);
  });

  it('that writes is refused while writes are paused, for every reason that pauses them', async () => {
    await database.pauseWrites('restore');
    await database.pauseWrites('shutdown');
    const refused = { code: 'DATABASE_READ_ONLY', retryAfterSeconds: expect.any(Number) };
    await expect(insert(1)).rejects.toMatchObject(refused);
    await expect(database.transaction(() => Promise.resolve())).rejects.toMatchObject(refused);
    expect(await count()).toBe(0);
    database.resumeWrites('restore');
    await expect(insert(1)).rejects.toMatchObject(refused);
    database.resumeWrites('shutdown');
    await insert(1);
    expect(await count()).toBe(1);
  });

  it('that writes and does not end in time is rolled back by a pause; reads go on', async () => {
    const started = gate();
    const end = gate();
    const reading = database.read(async (session) => {
      await end.opened;
      return session.all('SELECT 1 AS one');
    });
    const writing = database.transaction(async (session) => {
      await session.run('INSERT INTO t VALUES (1, NULL)');
      started.open();
      await session.all(ENDLESS);
    });
    const rolledBack = expect(writing).rejects.toMatchObject({ code: 'DATABASE_CLOSED' });
    await started.opened;
    await database.pauseWrites('restore');
    await rolledBack;
    expect(database.writeGate.inFlight).toBe(0);
    expect(await count()).toBe(0);
    end.open();
    expect(await reading).toEqual([{ one: 1 }]);
  });

  it('is ended by closing: refused, waited for, interrupted; then nothing is left open', async () => {
    await insert(1);
    const endless = expect(database.read((session) => session.all(ENDLESS))).rejects.toMatchObject({
      code: 'DATABASE_CLOSED',
    });
    const first = database.close();
    const second = database.close();
    await Promise.all([endless, first, second]);
    expect(database.isOpen).toBe(false);
    expect(lockIsListed(path)).toBe(false);
    expect(existsSync(`${path}.wal`)).toBe(false);
    await expect(count()).rejects.toMatchObject({ code: 'DATABASE_CLOSED' });
    await expect(insert(2)).rejects.toMatchObject({ code: 'DATABASE_CLOSED' });
    expect(() => database.files).toThrow('not open');
  });

  it('goes on after closing and opening again', async () => {
    await insert(1);
    await database.close();
    await Promise.all([database.open(), database.open()]);
    await insert(2);
    expect(await count()).toBe(2);
  });

  it('counts tables of every schema exactly', async () => {
    await database.write((session) =>
      session.runScript(`CREATE SCHEMA "odd ""name"; CREATE TABLE "odd ""name"."a.b" AS FROM range(1234);
        INSERT INTO t SELECT range, NULL FROM range(10); DELETE FROM t WHERE i < 3;
        CREATE VIEW v AS FROM t; CREATE TEMP TABLE hidden (i INTEGER)`),
    );
    expect(await database.tableCounts()).toEqual([
      { schema: 'main', name: 't', rows: 7 },
      { schema: 'odd "name', name: 'a.b', rows: 1234 },
    ]);
  });

  it('names the statement of a script that fails', async () => {
    await expect(
      database.transaction((session) => session.runScript('SELECT 1; INSERT INTO nowhere VALUES (1); SELECT 2')),
    ).rejects.toThrow(/^statement 2 of 3: .*nowhere/);
  });
});
