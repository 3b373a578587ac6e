import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import type { Manifest } from '../../../src/repository/manifest.js';
import type { TestCore } from '../../support/core.js';
import { ADAPTERS, backUp, BUCKET, Site } from '../../support/site.js';

/** Rows of a bulk insert: more than a row group, so that it goes into blocks and not through the log. */
const BULK = 130_000;

let site: Site;
let core: TestCore;

/** Writers that go on until they are stopped; `acknowledged[w]` is the last commit of writer w that has returned. */
class Writers {
  readonly acknowledged = [0, 0, 0, 0];
  #stopped = false;
  #running: Promise<void>[] = [];
  #commits = 0;
  #awaiting: { after: number; wake: () => void }[] = [];

  constructor(private readonly core: TestCore) {}

  start(): void {
    this.#running = this.acknowledged.map((_, writer) => this.#run(writer));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  /** Resolves when so many further commits were acknowledged. */
  async commits(count: number): Promise<void> {
    await new Promise<void>((wake) => this.#awaiting.push({ after: this.#commits + count, wake }));
  }

  async #run(writer: number): Promise<void> {
    for (let n = 1; !this.#stopped; n++) {
      await this.core.database.transaction(
        async (session) => {
          await session.run('INSERT INTO commits VALUES ($1, $2)', [writer, n]);
          if (writer === 0) await session.run('INSERT INTO mirror VALUES ($1, $2)', [writer, n]);
          if (writer === 1) {
            await session.run(`INSERT INTO bulk SELECT ${n} FROM range(${BULK})`);
            if (n % 2 === 0) await session.run('DELETE FROM bulk WHERE n = $1', [n - 1]);
          }
          if (writer === 2) await session.run('UPDATE counter SET n = $1', [n]);
          if (writer === 3) {
            if (n > 1) await session.run(`DROP TABLE made_${n - 1}`);
            await session.run(`CREATE TABLE made_${n} AS SELECT range AS i FROM range(1000)`);
          }
        },
        { retries: 5 },
      );
      this.acknowledged[writer] = n;
      this.#commits++;
      this.#awaiting = this.#awaiting.filter(({ after, wake }) => after > this.#commits || wake());
    }
  }
}

/** Checks that a restored database is a prefix of the commits: nothing is half there, nothing acknowledged is missing. */
async function expectPrefix(restored: TestCore, acknowledged: readonly number[]): Promise<void> {
  const last: number[] = [];
  for (const writer of acknowledged.keys()) {
    const of = `FROM commits WHERE writer = ${writer}`;
    last[writer] = await restored.number(`SELECT coalesce(max(n), 0) ${of}`);
    expect(await restored.number(`SELECT count(*) ${of}`)).toBe(last[writer]);
    expect(last[writer]).toBeGreaterThanOrEqual(acknowledged[writer] ?? 0);
  }
  const [mirrored = 0, bulk = 0, updated = 0, made = 0] = last;
  expect(await restored.number('SELECT count(*) FROM mirror')).toBe(mirrored);
  // Odd batches go with the next even one.
  const batches = Array.from({ length: bulk }, (_, index) => index + 1).filter((n) => n % 2 === 0 || n === bulk);
  expect(await restored.number('SELECT count(*) FROM bulk')).toBe(batches.length * BULK);
  expect(await restored.number('SELECT coalesce(sum(n), 0) FROM bulk')).toBe(
    batches.reduce((sum, n) => sum + n * BULK, 0),
  );
  expect(await restored.number('SELECT n FROM counter')).toBe(updated);
  const tables = await restored.database.read((session) =>
    session.all("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'made%'"),
  );
  expect(tables).toEqual(made === 0 ? [] : [{ table_name: `made_${made}` }]);
  if (made > 0) expect(await restored.number(`SELECT count(*) FROM made_${made}`)).toBe(1000);
}

async function restored(manifest: Manifest, name: string): Promise<TestCore> {
  const file = join(site.path, `${name}.duckdb`);
  await core.offline.toFile(await core.restores.find({ backup: manifest.name }), file);
  const other = site.core(name, { DUCKDB_PATH: file });
  await other.open();
  return other;
}

describe.each(ADAPTERS)('a backup in a %s under four writers', (adapter) => {
  beforeEach(async () => {
    site = await Site.open(adapter, { compares: true });
    core = site.core('first', { R2_COMPRESS_UPLOADS: adapter === 'folder' ? 'false' : 'true' });
    await core.boot();
    await core.write(
      'CREATE TABLE commits (writer INTEGER, n INTEGER)',
      'CREATE TABLE mirror (writer INTEGER, n INTEGER)',
      'CREATE TABLE bulk (n INTEGER)',
      'CREATE TABLE counter (n INTEGER)',
      'INSERT INTO counter VALUES (0)',
    );
  });
  afterEach(async () => site.remove());

  it('is an exact prefix of the commits', async () => {
    const writers = new Writers(core);
    writers.start();
    const taken: { manifest: Manifest; acknowledged: number[] }[] = [];
    try {
      for (let round = 0; round < 4; round++) {
        await writers.commits(6);
        const acknowledged = [...writers.acknowledged];
        // Odd rounds do not wait for a checkpoint, so that the log is taken along.
        const manifest = await backUp(core, { trigger: 'manual', checkpointTimeoutMs: round % 2 === 0 ? 500 : 0 });
        taken.push({ manifest, acknowledged });
      }
    } finally {
      await writers.stop();
    }
    for (const [round, { manifest, acknowledged }] of taken.entries()) {
      const other = await restored(manifest, `copy-${round}`);
      await expectPrefix(other, acknowledged);
      await other.close();
    }
  });
});

describe('a CHECKPOINT by a user while a backup copies', () => {
  const PACK = { operation: 'PutObject', key: /\.duckdb\.zst$/ };

  beforeEach(async () => {
    site = await Site.open(BUCKET);
    core = await site.populated('first', 1000);
  });
  afterEach(async () => site.remove());

  it('makes the backup copy again, with checkpoints held off', async () => {
    const first = site.server.faults.hold(PACK);
    const taking = backUp(core);
    await first.reached;
    await core.write('INSERT INTO guests VALUES (-1)');
    await core.foreignCheckpoint();
    const second = site.server.faults.hold(PACK);
    first.open();
    await second.reached;
    // The user tries again, in vain: the second copy is guarded.
    await core.write('INSERT INTO guests VALUES (-2)');
    await expect(core.foreignCheckpoint()).rejects.toThrow('Cannot CHECKPOINT');
    second.open();
    const manifest = await taking;
    const keys = (await site.keys()).filter((key) => key.endsWith('.duckdb.zst'));
    expect(keys).toEqual([`${manifest.name}.duckdb.zst`]);
    expect((await core.repository.list()).pending.size).toBe(0);
    const copy = await restored(manifest, 'copy');
    expect(await copy.number('SELECT count(*) FROM guests')).toBe(1001);
  });

  it('is found out although it has not ended when the copy has', async () => {
    await core.write('CREATE TABLE big AS SELECT range AS id, md5(range::VARCHAR) AS text FROM range(200000)');
    const first = site.server.faults.hold(PACK);
    const taking = backUp(core);
    await first.reached;
    // Large enough for the checkpoint to take a while.
    await core.write('UPDATE big SET text = md5(text)');
    const before = core.database.files.header().iteration;
    const log = core.database.files.wal()?.size;
    let ended = false;
    const checkpoint = core.foreignCheckpoint().then(() => (ended = true));
    // The checkpoint begins by marking the log.
    while (core.database.files.wal()?.size === log && !ended) await new Promise((resolve) => setImmediate(resolve));
    expect(ended).toBe(false);
    first.open();
    const manifest = await taking;
    await checkpoint;
    expect(core.database.files.header().iteration).toBeGreaterThan(before);
    expect(manifest.position.iteration).toBe(core.database.files.header().iteration);
  });
});
