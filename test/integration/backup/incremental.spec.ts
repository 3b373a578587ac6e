import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { extentCacheOf } from '../../../src/database/database-files.js';
import { BLOCK_SIZE } from '../../../src/duckdb-format/layout.js';
import type { Manifest } from '../../../src/repository/manifest.js';
import { TestClock, type TestCore } from '../../support/core.js';
import { type Adapter, ADAPTERS, backUp, BUCKET, contentOf, Site } from '../../support/site.js';

const DAY_MS = 86_400_000;
/** Large enough for a share of the blocks to be small. */
const ROWS = 400_000;

let site: Site;
let core: TestCore;

async function begin(adapter: Adapter, env: Record<string, string> = {}): Promise<void> {
  site = await Site.open(adapter, { compares: true });
  core = site.core('first', env);
  await core.boot();
  await core.write(
    'CREATE TABLE guests (id INTEGER, note VARCHAR)',
    `INSERT INTO guests SELECT range, md5(range::VARCHAR) FROM range(${ROWS})`,
    'CREATE TABLE words (word VARCHAR)',
  );
}

describe.each(ADAPTERS)('an incremental backup in a %s', (adapter) => {
  beforeEach(async () => begin(adapter));
  afterEach(async () => site.remove());

  it('stores the blocks that changed, and nothing else', async () => {
    const full = await backUp(core);
    await core.write("INSERT INTO words VALUES ('one more')");
    const content = await contentOf(core);
    const added = await backUp(core);
    expect(added).toMatchObject({ kind: 'incremental', parent: full.name, position: { offset: 0 } });
    expect(added.packs.map(({ key }) => key)).toEqual([`${added.name}.blocks.zst`, `${full.name}.duckdb.zst`]);
    // The headers, the data of the one table, and the catalogue: of some twenty blocks.
    expect(added.database.blocks).toBeGreaterThan(20);
    const info = await core.store.head(`${added.name}.blocks.zst`);
    expect(info?.size).toBe(added.packs[0]?.length);
    expect(info?.size).toBeLessThan(BLOCK_SIZE);
    expect(added.bytes.added).toBeLessThan(BLOCK_SIZE);
    expect(added.bytes.stored).toBeGreaterThan(full.bytes.stored * 0.9);
    expect(await site.restored(added, 'second')).toEqual(content);
    expect(await core.verify.verify(added.name)).toMatchObject({ ok: true });
  });

  it('of a database that has not changed stores a manifest alone', async () => {
    const full = await backUp(core);
    const before = new Set((await core.repository.list()).objects.keys());
    const again = await backUp(core, { trigger: 'manual' });
    const after = [...(await core.repository.list()).objects.keys()].filter((key) => !before.has(key));
    expect(after).toEqual([`${again.name}.json`]);
    expect(again).toMatchObject({ kind: 'incremental', packs: full.packs, extents: full.extents, bytes: { added: 0 } });
    expect(await site.restored(again, 'second')).toEqual(await contentOf(core));
  });

  it('of a chain restores without those before it, whose manifests may be gone', async () => {
    const content = new Map<string, string[]>();
    const chain: Manifest[] = [];
    for (let step = 0; step < 5; step++) {
      await core.write(
        `UPDATE guests SET note = 'step ${step}' WHERE id BETWEEN ${step * 7_000} AND ${step * 7_000 + 3_000}`,
        `INSERT INTO words SELECT 'word ' || range FROM range(${step * 1_000})`,
        `CREATE TABLE t${step} AS SELECT range AS i FROM range(10)`,
      );
      if (step === 3) await core.write('DROP TABLE t0', 'DELETE FROM guests WHERE id < 20000');
      const manifest = await backUp(core);
      chain.push(manifest);
      content.set(manifest.name, await contentOf(core));
      site.clock.advance(60_000);
    }
    expect(chain.map(({ kind }) => kind)).toEqual(['full', ...Array<string>(4).fill('incremental')]);
    for (const manifest of chain) {
      expect(await site.restored(manifest, `of-${manifest.name}`)).toEqual(content.get(manifest.name));
    }
    // Retention leaves the newest one, and the packs that it needs.
    const other = site.core('janitor', { R2_BACKUP_RETENTION_DAYS: '1' });
    site.clock.advance(2 * DAY_MS);
    const newest = chain.at(-1)!;
    const { backups } = await other.retention.run();
    expect(backups.filter(({ keep }) => keep).map(({ name }) => name)).toEqual([newest.name]);
    const listing = await other.repository.list();
    expect(listing.backups.map(({ name }) => name)).toEqual([newest.name]);
    expect(listing.foreign).toEqual([]);
    for (const { key, length } of newest.packs) expect(listing.objects.get(key)?.size).toBe(length);
    expect(await site.restored(newest, 'last')).toEqual(content.get(newest.name));
    // When it goes, too, so do the packs of those that went before.
    await core.write("INSERT INTO words VALUES ('a new full backup')");
    const full = await backUp(core, { full: true });
    expect(full).toMatchObject({ kind: 'full', packs: [{ key: `${full.name}.duckdb.zst` }] });
    site.clock.advance(3 * DAY_MS);
    await other.retention.run();
    // What went before is looked at again when it has lain for a day, by the clock of the store.
    const later = site.core('later', {}, { clock: new TestClock(new Date(Date.now() + 2 * DAY_MS)) });
    await later.retention.run();
    expect([...(await other.repository.list()).objects.keys()].toSorted()).toEqual(
      [`${full.name}.duckdb.zst`, `${full.name}.json`, 'repository.json'].toSorted(),
    );
    expect((await other.repository.list()).pending.size).toBe(0);
    expect(await site.restored(full, 'very-last')).toEqual(await contentOf(core));
  });

  it('takes the log along where a transaction keeps it from being folded', async () => {
    await backUp(core);
    let manifest: Manifest | undefined;
    await core.database.transaction(async (session) => {
      await core.write("INSERT INTO words VALUES ('in the log')");
      await session.run("UPDATE guests SET note = 'not committed' WHERE id = 1");
      manifest = await backUp(core, { checkpointTimeoutMs: -1 });
      await session.run("UPDATE guests SET note = md5('1') WHERE id = 1");
    });
    expect(manifest).toMatchObject({ kind: 'incremental', wal: { length: expect.any(Number) } });
    expect(await site.restored(manifest!, 'second')).toEqual(await contentOf(core));
  });

  it('goes on after a restore of an older one', async () => {
    const full = await backUp(core);
    const before = await contentOf(core);
    await core.write('DELETE FROM guests WHERE id > 10');
    await backUp(core);
    await core.online.restore(await core.restores.find({ backup: full.name }));
    const after = await contentOf(core);
    expect(after).toEqual(expect.arrayContaining(before));
    const next = await backUp(core);
    expect(next).toMatchObject({ kind: 'incremental' });
    expect(next.bytes.added).toBeLessThan(full.bytes.added / 2);
    expect(await site.restored(next, 'second')).toEqual(after);
  });

  it('builds on block tables beside the database, and fetches them where those are damaged or gone', async () => {
    const cache = extentCacheOf(core.database.path);
    await backUp(core);
    for (const harm of [
      () => rm(cache, { recursive: true }),
      async () => readdirSync(cache).forEach((file) => writeFileSync(join(cache, file), 'damaged')),
      async () => undefined,
    ]) {
      await harm();
      await core.write("INSERT INTO words VALUES ('more')");
      const next = await backUp(core);
      expect(next.kind).toBe('incremental');
      expect(readdirSync(cache)).toEqual(next.extents.map(({ sha256 }) => `${sha256}.jsonl.zst`));
    }
    const last = await backUp(core, { trigger: 'manual' });
    expect(await site.restored(last, 'second')).toEqual(await contentOf(core));
  });
});

describe('an incremental backup whose base another process removes meanwhile', () => {
  let other: TestCore;
  let base: Manifest;

  beforeEach(async () => {
    await begin(BUCKET);
    base = await backUp(core);
    await core.write("INSERT INTO words VALUES ('more')");
    other = site.core('first-again', { R2_BACKUP_RETENTION_DAYS: '1' });
  });
  afterEach(async () => site.remove());

  /** A newer backup of the same history, so that the base is not the newest any more. */
  async function newerOne(): Promise<void> {
    site.clock.advance(60_000);
    await other.boot();
    await other.write('CREATE TABLE another (i INTEGER)');
    expect(await backUp(other, { full: true })).toMatchObject({ fork: false });
  }

  it('keeps it, since its reservation names it', async () => {
    const upload = site.server.faults.hold({ operation: 'PutObject', key: /\.blocks\.zst$/ });
    const taking = backUp(core);
    await upload.reached;
    await newerOne();
    await expect(other.retention.remove(base.name)).rejects.toMatchObject({
      code: 'BACKUP_IN_USE',
      message: expect.stringContaining('builds on'),
    });
    site.clock.advance(3 * DAY_MS);
    const { backups } = await other.retention.run();
    expect(backups).toContainEqual({ name: base.name, keep: true, reason: 'in-use' });
    upload.open();
    const taken = await taking;
    expect(taken.kind).toBe('incremental');
    expect(await core.verify.verify(taken.name)).toMatchObject({ ok: true });
    // Afterwards it may go, and what the other one needs of it stays.
    await other.retention.remove(base.name);
    expect(await core.verify.verify(taken.name)).toMatchObject({ ok: true });
  });

  it('keeps its packs where the reservation came while the manifest was removed', async () => {
    const reservation = site.server.faults.hold({ operation: 'PutObject', key: /pending\// });
    const upload = site.server.faults.hold({ operation: 'PutObject', key: /\.blocks\.zst$/ });
    const taking = backUp(core);
    await reservation.reached;
    await newerOne();
    const removal = site.server.faults.hold({ operation: 'DeleteObject', key: new RegExp(`${base.name}\\.json$`) });
    const removing = other.retention.remove(base.name);
    await removal.reached;
    reservation.open();
    await upload.reached;
    removal.open();
    await removing;
    upload.open();
    const taken = await taking;
    expect(taken.kind).toBe('incremental');
    expect(await core.verify.verify(taken.name)).toMatchObject({ ok: true });
    expect((await core.repository.list()).backups.map(({ name }) => name)).not.toContain(base.name);
  });

  it.each([
    ['retention', async () => other.retention.run()],
    ['a removal', async () => other.retention.remove(base.name)],
  ])('keeps its packs where it began and ended between the listing of %s and what that deletes', async (_, remove) => {
    const reservation = site.server.faults.hold({ operation: 'PutObject', key: /pending\/hesocial-backup/ });
    const taking = backUp(core);
    await reservation.reached;
    await newerOne();
    site.clock.advance(3 * DAY_MS);
    const retiring = site.server.faults.hold({ operation: 'PutObject', key: new RegExp(`pending/${base.name}`) });
    const removing = remove();
    await retiring.reached;
    reservation.open();
    const taken = await taking;
    expect(taken.kind).toBe('incremental');
    retiring.open();
    await removing;
    expect((await core.repository.list()).backups.map(({ name }) => name)).toContain(taken.name);
    expect(await core.verify.verify(taken.name)).toMatchObject({ ok: true });
  });

  it('is a full one where the base went before the reservation was there', async () => {
    const reservation = site.server.faults.hold({ operation: 'PutObject', key: /pending\// });
    const taking = backUp(core);
    await reservation.reached;
    await newerOne();
    await other.retention.remove(base.name);
    reservation.open();
    const taken = await taking;
    expect(taken.kind).toBe('full');
    expect(await core.verify.verify(taken.name)).toMatchObject({ ok: true });
  });
});

describe('a backup that cannot build on the newest one', () => {
  beforeEach(async () => begin('folder'));
  afterEach(async () => site.remove());

  const withStarted = async (env: Record<string, string>): Promise<void> => {
    await core.close();
    core = site.core('first', env);
    await core.boot();
  };

  it('stores a block table again that only the cache still has', async () => {
    const first = await backUp(core);
    for (const { key } of first.extents) await core.store.delete(key);
    const next = await backUp(core, { trigger: 'manual' });
    expect(next).toMatchObject({ kind: 'incremental', extents: first.extents });
    for (const manifest of [first, next]) {
      expect(await site.restored(manifest, `of-${manifest.name}`)).toEqual(await contentOf(core));
    }
  });

  it('is full where its block table is gone, in the store and beside the database', async () => {
    const first = await backUp(core);
    await rm(extentCacheOf(core.database.path), { recursive: true });
    for (const { key } of first.extents) await core.store.delete(key);
    const next = await backUp(core, { trigger: 'manual' });
    expect(next.kind).toBe('full');
    expect(await site.restored(next, 'second')).toEqual(await contentOf(core));
  });

  it('is full where its manifest is damaged', async () => {
    const first = await backUp(core);
    await core.store.put(`${first.name}.json`, Buffer.from('{}'));
    await withStarted({});
    expect(await backUp(core, { trigger: 'manual' })).toMatchObject({ kind: 'full' });
  });

  it('is full where one of its packs is gone', async () => {
    const first = await backUp(core);
    await core.store.delete(first.packs[0]!.key);
    const next = await backUp(core, { trigger: 'manual' });
    expect(next.kind).toBe('full');
    expect(await site.restored(next, 'second')).toEqual(await contentOf(core));
  });

  it('is full where compression was turned off, and incremental again after that', async () => {
    await backUp(core);
    await withStarted({ R2_COMPRESS_UPLOADS: 'false' });
    const plain = await backUp(core, { trigger: 'manual' });
    expect(plain).toMatchObject({ kind: 'full', compression: 'none' });
    await core.write("INSERT INTO words VALUES ('plain')");
    const next = await backUp(core);
    expect(next).toMatchObject({ kind: 'incremental', packs: [{ key: `${next.name}.blocks` }, {}] });
    expect(next.packs[0]!.length % BLOCK_SIZE).toBe(12_288);
    expect(await site.restored(next, 'second')).toEqual(await contentOf(core));
  });

  it('is full after R2_FULL_BACKUP_DAYS', async () => {
    await backUp(core);
    site.clock.advance(6 * DAY_MS);
    expect(await backUp(core, { trigger: 'manual' })).toMatchObject({ kind: 'incremental' });
    site.clock.advance(DAY_MS);
    expect(await backUp(core, { trigger: 'manual' })).toMatchObject({ kind: 'full' });
    expect(await backUp(core, { trigger: 'manual' })).toMatchObject({ kind: 'incremental' });
  });

  it('never has the name of an attempt that failed, whose pack may still arrive', async () => {
    await site.remove();
    await begin(BUCKET);
    const first = await backUp(core);
    await core.write("INSERT INTO words VALUES ('lost')");
    site.server.faults.failNth(1, 403, { operation: 'PutObject', key: /\.blocks\.zst$/ });
    await expect(backUp(core)).rejects.toMatchObject({ code: 'STORE_DENIED' });
    expect((await backUp(core)).name).toBe(`${first.name}-3`);
  });

  it('is not complete where retention has taken it for one that was cut off', async () => {
    await site.remove();
    await begin(BUCKET);
    await backUp(core);
    await core.write("INSERT INTO words VALUES ('slept over')");
    const upload = site.server.faults.hold({ operation: 'PutObject', key: /\.blocks\.zst$/ });
    const taking = backUp(core);
    await upload.reached;
    const janitor = site.core('janitor', {}, { clock: new TestClock(new Date(Date.now() + 2 * DAY_MS)) });
    await janitor.retention.run();
    upload.open();
    await expect(taking).rejects.toMatchObject({ code: 'BACKUP_FAILED', message: expect.stringContaining('a day') });
    const { backups, objects } = await core.repository.list();
    expect(backups).toHaveLength(1);
    expect([...objects.keys()].filter((key) => key.includes('.blocks'))).toEqual([]);
  });

  it('is taken although nothing changed where the newest one has lost its pack', async () => {
    const first = await backUp(core);
    expect(await core.backups.create({ trigger: 'interval', onlyIfChanged: true })).toMatchObject({ created: false });
    await core.store.delete(first.packs[0]!.key);
    expect(await backUp(core, { onlyIfChanged: true })).toMatchObject({ kind: 'full' });
  });

  it('leaves nothing when its upload fails', async () => {
    await site.remove();
    await begin(BUCKET);
    await backUp(core);
    const before = await site.keys();
    await core.write("INSERT INTO words VALUES ('lost')");
    for (const key of [/extents\//, /\.blocks\.zst$/]) {
      site.server.faults.failAlways(403, { operation: 'PutObject', key });
      await expect(backUp(core)).rejects.toMatchObject({ code: 'STORE_DENIED' });
      site.server.faults.clear();
      const left = (await site.keys()).filter((name) => !before.includes(name));
      // A block table without a backup does no harm: the next one may need the same.
      expect(left.filter((name) => !name.includes('extents/'))).toEqual([]);
    }
    expect((await backUp(core)).kind).toBe('incremental');
  });

  it('leaves nothing listed when its manifest cannot be written', async () => {
    await site.remove();
    await begin(BUCKET);
    await backUp(core);
    await core.write("INSERT INTO words VALUES ('lost')");
    site.server.faults.failAlways(403, { operation: 'PutObject', key: /^(?!.*pending).*hesocial-[^/]*\.json$/ });
    await expect(backUp(core)).rejects.toMatchObject({ code: 'STORE_DENIED' });
    site.server.faults.clear();
    const listing = await core.repository.list();
    expect(listing.backups).toHaveLength(1);
    expect(listing.foreign).toEqual([]);
    // Its manifest may have been written all the same, as far as the writer can tell: retention removes the rest.
    expect([...listing.pending.keys()]).toHaveLength(1);
    expect((await backUp(core)).kind).toBe('incremental');
  });
});
