import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Position } from '../../../src/repository/position.js';
import type { S3ObjectStore } from '../../../src/object-store/s3/s3-object-store.js';
import { temporaryFolder, TestClock, TestCore } from '../../support/core.js';
import { FIRST_KEY, keys } from '../../support/encryption.js';
import { HAS_REAL_BUCKET, REAL_BUCKET, type RealBucket, realBucket } from '../../support/real-bucket.js';

const DAY_MS = 86_400_000;

/** Large enough for a multipart upload: hashes do not compress. */
const BOOKINGS = `CREATE TABLE bookings (id INTEGER PRIMARY KEY, guest VARCHAR, token VARCHAR);
  INSERT INTO bookings SELECT range, 'guest ' || range, md5(range::VARCHAR) || md5((range + 1)::VARCHAR) FROM range(900000)`;

const CONTENT = 'SELECT sum(hash(b))::DOUBLE + count(*) FROM bookings AS b';

const describeReal = HAS_REAL_BUCKET ? describe : describe.skip;

describeReal(`a whole round with a real S3 store (${REAL_BUCKET})`, () => {
  let folder: { path: string; remove: () => Promise<void> };
  let bucket: RealBucket;
  let clock: TestClock;
  let stores: S3ObjectStore[];
  let cores: TestCore[];

  beforeEach(async () => {
    folder = await temporaryFolder();
    bucket = await realBucket('end-to-end');
    clock = new TestClock();
    stores = [];
    cores = [];
  });

  afterEach(async () => {
    for (const core of cores) await core.close();
    for (const store of stores) await store.close();
    await bucket.empty();
    await folder.remove();
  });

  /** A service on a machine of its own: nothing is shared but the bucket. */
  const machine = (name: string, env: Record<string, string> = {}): TestCore => {
    const store = bucket.open();
    const core = new TestCore(join(folder.path, name), store, env, clock);
    stores.push(store);
    cores.push(core);
    return core;
  };

  const booked = async (core: TestCore): Promise<void> => {
    await core.boot();
    await core.write(...BOOKINGS.split(';'));
  };

  const backedUp = async (core: TestCore): Promise<string> => {
    clock.advance(60_000);
    const { manifest } = await core.backups.create({ trigger: 'manual', checkpointTimeoutMs: 50 });
    return manifest.name;
  };

  it('a database that lost its disk comes back from the newest backup', async () => {
    const core = machine('first');
    await booked(core);
    await backedUp(core);
    await core.write('DELETE FROM bookings WHERE id < 1000');
    const newest = await backedUp(core);
    const content = await core.number(CONTENT);
    await core.close();
    await rm(core.folder, { recursive: true });

    const again = machine('first');
    const { decision, restored } = await again.boot();
    expect(decision.action).toBe('restore');
    expect(restored?.backup).toBe(newest);
    expect(await again.number(CONTENT)).toBe(content);
  });

  it('commits that a transaction kept in the log come back too, and what was not committed does not', async () => {
    const core = machine('first');
    await booked(core);
    await core.database.checkpoint();
    await core.write("UPDATE bookings SET guest = 'late' WHERE id = 7");
    const content = await core.number(CONTENT);
    let name = '';
    const given = core.database.transaction(async (session) => {
      await session.run("UPDATE bookings SET guest = 'nobody' WHERE id = 5");
      name = await backedUp(core);
      throw new Error('given up');
    });
    await expect(given).rejects.toThrow('given up');
    expect((await core.repository.manifests.of(name)).wal).not.toBeNull();
    await core.close();
    await rm(core.folder, { recursive: true });

    const again = machine('first');
    await again.boot();
    expect(await again.number(CONTENT)).toBe(content);
  });

  it('every backup is listed and is whole when it is read back', async () => {
    const core = machine('first');
    await booked(core);
    const older = await backedUp(core);
    await core.write('DELETE FROM bookings WHERE id < 1000');
    const newer = await backedUp(core);
    const { backups } = await core.catalog.page();
    expect(backups.map(({ name }) => name)).toEqual([newer, older]);
    for (const name of [older, newer]) {
      expect(await core.verify.verify(name)).toMatchObject({ ok: true, damages: [] });
    }
  });

  it('an older backup is restored to a file while the database stays as it is', async () => {
    const core = machine('first');
    await booked(core);
    const older = await backedUp(core);
    const content = await core.number(CONTENT);
    await core.write('DELETE FROM bookings');
    await backedUp(core);
    const file = join(folder.path, 'older.duckdb');
    await core.offline.toFile(await core.restores.find({ backup: older }), file);
    const other = machine('other', { DUCKDB_PATH: file });
    await other.open();
    expect(await other.number(CONTENT)).toBe(content);
    expect(await core.number('SELECT count(*) FROM bookings')).toBe(0);
  });

  it('a dry run of retention names the old backup and removes nothing', async () => {
    const core = machine('first', { R2_BACKUP_RETENTION_DAYS: '30' });
    await booked(core);
    const older = await backedUp(core);
    clock.advance(31 * DAY_MS);
    await core.write('DELETE FROM bookings WHERE id < 1000');
    const newer = await backedUp(core);
    const report = await core.retention.run({ dryRun: true });
    expect(report.backups).toEqual([
      { name: newer, keep: true, reason: 'newest' },
      { name: older, keep: false, reason: 'expired' },
    ]);
    expect(await core.verify.verify(older)).toMatchObject({ ok: true });
  });

  it('of two writers that want the same name at once exactly one gets it', async () => {
    const [first, second] = [machine('first'), machine('second')];
    const taken = await Promise.all(
      [first, second].map(({ repository }) => repository.reservations.take('hesocial-20260101-000000')),
    );
    expect(taken.filter(Boolean)).toHaveLength(1);
  });

  it('a writer that was replaced refuses writes and saves what it holds as a fork', async () => {
    const first = machine('first');
    await booked(first);
    await backedUp(first);
    const second = machine('second');
    await second.boot();
    await second.write('DELETE FROM bookings WHERE id < 10');
    const newest = await backedUp(second);

    await first.write('DELETE FROM bookings WHERE id < 20');
    const fork = await backedUp(first);
    expect((await first.repository.manifests.of(fork)).fork).toBe(true);
    expect(first.backups.status.replacedBy).toBe(newest);
    await expect(first.write('DELETE FROM bookings')).rejects.toMatchObject({ code: 'DATABASE_READ_ONLY' });
  });

  it('an incremental backup stores what changed, encrypted or not, and a restore fetches what the disk does not have', async () => {
    for (const env of [{}, keys(FIRST_KEY)]) {
      const name = Object.keys(env).length === 0 ? 'plain' : 'encrypted';
      await bucket.empty();
      const core = machine(name, env);
      await booked(core);
      const full = await core.repository.manifests.of(await backedUp(core));
      await core.write('UPDATE bookings SET token = upper(token) WHERE id < 1000');
      const newer = await core.repository.manifests.of(await backedUp(core));
      expect(newer.kind).toBe('incremental');
      expect(newer.bytes.added).toBeLessThan(full.bytes.added / 2);
      const content = await core.number(CONTENT);
      await core.write('DELETE FROM bookings WHERE id < 2000');
      const plan = await core.restores.plan(await core.restores.find({ backup: newer.name }));
      expect(plan.localBlocks).toBeGreaterThan((plan.blocks ?? 0) / 2);
      const report = await core.online.restore(await core.restores.find({ backup: newer.name }), { force: true });
      expect(report.fetchedBytes).toBe(plan.bytesToFetch);
      expect(await core.number(CONTENT)).toBe(content);
    }
  });

  it('every shipped commit comes back after the disk is lost, each by its position, and one process alone ships', async () => {
    const ships = { R2_WAL_SYNC_INTERVAL_MS: '3000' };
    const core = machine('first', ships);
    await booked(core);
    await core.replication.connect();
    await core.backups.create({ trigger: 'checkpoint' });
    const points: { position: Position; content: number }[] = [];
    for (const sql of [
      'DELETE FROM bookings WHERE id < 10',
      "INSERT INTO bookings SELECT range + 1000000, 'late', md5(range::VARCHAR) FROM range(200000)",
      "UPDATE bookings SET guest = 'nobody' WHERE id % 1000 = 0",
      'DELETE FROM bookings',
    ]) {
      await core.write(sql);
      core.replication.look();
      await core.replication.ship();
      points.push({ position: core.lineage.at(await core.database.position()), content: await core.number(CONTENT) });
    }
    const other = machine('other', ships);
    await other.boot();
    expect(await other.number('SELECT count(*) FROM bookings')).toBe(0);
    await other.replication.connect();
    await core.write('INSERT INTO bookings VALUES (1, NULL, NULL)');
    core.replication.look();
    await expect(core.replication.ship()).rejects.toMatchObject({ code: 'REPLICATION_FENCED' });
    for (const { position, content } of points.slice(0, 3)) {
      const file = join(folder.path, `at-${position.offset}.duckdb`);
      await other.offline.toFile(await other.restores.find({ position }), file);
      const looked = machine(`at-${position.offset}`, { DUCKDB_PATH: file });
      await looked.open();
      expect(await looked.number(CONTENT)).toBe(content);
    }
  });

  it('retention removes in two phases and leaves what is held', async () => {
    const core = machine('first', {
      R2_BACKUP_RETENTION_DAYS: '1',
      BACKUP_KEEP_ALL_HOURS: '0',
      PITR_WINDOW_HOURS: '0',
    });
    await booked(core);
    const older = await core.repository.manifests.of(await backedUp(core));
    clock.advance(31 * DAY_MS);
    await core.write('DELETE FROM bookings WHERE id < 1000');
    await core.backups.create({ trigger: 'manual', full: true });
    await core.retention.run();
    await expect(core.repository.manifests.of(older.name)).rejects.toMatchObject({ code: 'BACKUP_NOT_FOUND' });
    expect(await core.store.head(older.packs[0]?.key ?? '')).toBeDefined();
    clock.advance(Date.now() + 2 * DAY_MS - clock.now().getTime());
    await core.retention.run();
    expect(await core.store.head(older.packs[0]?.key ?? '')).toBeUndefined();
  });
});
