import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { objectsOf } from '../../../src/repository/manifest.js';
import type { Manifest } from '../../../src/repository/manifest.js';
import type { TestCore } from '../../support/core.js';
import { FIRST_KEY, keys, keysWith } from '../../support/encryption.js';
import { ADAPTERS, backUp, BUCKET, contentOf, Site } from '../../support/site.js';

/** Nothing that is written by itself looks like this. */
const MARKER = 'Zaphod-Beeblebrox-0x2A';
/** How a block table begins. */
const TABLE_HEAD = '{"format":1,"first":0,';

let site: Site;
let core: TestCore;

async function begin(env: Record<string, string>): Promise<void> {
  core = await site.populated('first', 130_000, env);
  await core.write(`CREATE TABLE secrets AS SELECT '${MARKER}' AS text, '${MARKER}' || range AS n FROM range(50)`);
}

/** A backup that takes the log along, with the marker in it. */
async function backUpWithLog(): Promise<Manifest> {
  return core.database.transaction(async (session) => {
    await core.write(`INSERT INTO secrets VALUES ('${MARKER}', 'in the log')`);
    await session.run('UPDATE guests SET id = id WHERE id = 5');
    return backUp(core, { checkpointTimeoutMs: -1 });
  });
}

describe.each(ADAPTERS)('encrypted backups in a %s', (adapter) => {
  beforeEach(async () => {
    site = await Site.open(adapter);
  });
  afterEach(async () => site.remove());

  it.each([
    ['compressed', 'true', '.zst'],
    ['uncompressed', 'false', ''],
  ])('%s: full ones, incremental ones and logs are restored, verified and proven', async (_, compress, suffix) => {
    const env = { ...keys(FIRST_KEY), R2_COMPRESS_UPLOADS: compress };
    await begin(env);
    const taken: [Manifest, string[]][] = [[await backUp(core), await contentOf(core)]];
    await core.write('UPDATE guests SET id = -id WHERE id = 77');
    taken.push([await backUp(core), await contentOf(core)]);
    taken.push([await backUpWithLog(), await contentOf(core)]);
    expect(taken.map(([{ kind, wal }]) => [kind, wal !== null])).toEqual([
      ['full', false],
      ['incremental', false],
      ['incremental', true],
    ]);
    for (const [manifest] of taken) {
      expect(manifest.encryption).toEqual({ algorithm: 'aes-256-gcm', keyId: FIRST_KEY.id });
      expect(objectsOf(manifest).every((key) => key.endsWith('.enc'))).toBe(true);
      expect(await core.verify.verify(manifest.name)).toMatchObject({ ok: true });
      expect(await core.verify.quick(manifest)).toMatchObject({ ok: true });
    }
    const [first, second, last] = taken.map(([manifest]) => manifest);
    expect(first?.packs).toMatchObject([{ key: `${first?.name}.duckdb${suffix}.enc` }]);
    expect(last?.wal?.key).toBe(`${last?.name}.duckdb.wal${suffix}.enc`);
    expect(last?.packs.map(({ key }) => key)).toContain(`${second?.name}.blocks${suffix}.enc`);
    expect(await core.proofs.prove(first!)).toMatchObject({ ok: true });
    const reader = site.core('reader', env);
    await reader.offline.toFile({ kind: 'eider', manifest: second! }, reader.database.path);
    await reader.open();
    expect(await contentOf(reader)).toEqual(taken[1]?.[1]);
    const fresh = site.core('fresh', env);
    expect((await fresh.boot()).decision).toMatchObject({ row: 'local-missing', backup: last?.name });
    expect(await contentOf(fresh)).toEqual(taken.at(-1)?.[1]);
  });

  it.each(['true', 'false'])('hold no text of the database in any object, with compression %s', async (compress) => {
    await begin({ R2_COMPRESS_UPLOADS: compress });
    await backUp(core);
    const logged = await backUpWithLog();
    // What is looked for can be found.
    expect((await keysWith(core.store, TABLE_HEAD)).length).toBeGreaterThan(0);
    expect((await keysWith(core.store, MARKER)).length).toBeGreaterThan(1);
    expect(await keysWith(core.store, MARKER)).toContain(logged.wal?.key);
    await core.close();
    const hidden = site.core(
      'first',
      { ...keys(FIRST_KEY), R2_COMPRESS_UPLOADS: compress },
      { store: site.store('hidden/') },
    );
    await hidden.open();
    core = hidden;
    await core.write('INSERT INTO guests VALUES (1)');
    await backUp(core);
    expect((await backUpWithLog()).wal).not.toBeNull();
    expect(await keysWith(hidden.store, MARKER)).toEqual([]);
    expect(await keysWith(hidden.store, TABLE_HEAD)).toEqual([]);
  });
});

describe('an encrypted backup that fails', () => {
  afterEach(async () => site.remove());

  it('leaves nothing behind', async () => {
    site = await Site.open(BUCKET);
    await begin(keys(FIRST_KEY));
    site.server.faults.failAlways(403, { operation: 'PutObject', key: /extents/ });
    await expect(backUpWithLog()).rejects.toMatchObject({ code: 'STORE_DENIED' });
    expect(await site.keys()).toEqual(['repository.json']);
  });
});

describe('an encrypted backup', () => {
  beforeEach(async () => {
    site = await Site.open('folder');
    await begin(keys(FIRST_KEY));
  });
  afterEach(async () => site.remove());

  it('shows no hash of what it holds in its manifest, and the same contents never look the same', async () => {
    const plain = site.core('first', {}, { store: site.store('plain/') });
    const first = await backUpWithLog();
    await core.close();
    await plain.open();
    const open = await plain.database.transaction(async (session) => {
      await plain.write(`INSERT INTO secrets VALUES ('${MARKER}', 'in the log')`);
      await session.run('UPDATE guests SET id = id WHERE id = 5');
      return backUp(plain, { checkpointTimeoutMs: -1 });
    });
    const hashes = ({ tables, wal }: Manifest): (string | null | undefined)[] => [
      ...tables.map(({ hash }) => hash),
      wal?.sha256,
    ];
    expect(hashes(open)).toEqual([/^\d+$/, /^\d+$/, /^[0-9a-f]{64}$/].map((form) => expect.stringMatching(form)));
    for (const hash of hashes(first)) expect(hash).toMatch(/^[A-Za-z0-9+/]{60,}={0,2}$/);
  });

  it('without its manifest is not listed as a file by hand, and its name is not taken again', async () => {
    const { name } = await backUp(core);
    await core.store.delete(`${name}.json`);
    const other = site.core('other', keys(FIRST_KEY));
    expect(await other.repository.list()).toMatchObject({ backups: [], foreign: [] });
    await other.open();
    await other.write('CREATE TABLE guests AS SELECT 1 AS id');
    const next = await backUp(other);
    expect(next.name).toBe(`${name}-2`);
  });

  it('is removed by retention with all its objects', async () => {
    const old = await backUp(core, { full: true });
    site.clock.advance(40 * 86_400_000);
    await core.write('INSERT INTO guests VALUES (1)');
    const newest = await backUp(core, { full: true });
    await core.retention.run();
    // What only it needs goes a day later, by the clock of the store.
    site.clock.advance(2 * 86_400_000 + Date.now() - site.clock.now().getTime());
    await core.retention.run();
    const left: string[] = [];
    for await (const { key } of core.store.list('')) left.push(key);
    expect(left.filter((key) => key.includes(old.name))).toEqual([]);
    expect(left.toSorted()).toEqual(expect.arrayContaining([`${newest.name}.json`, ...objectsOf(newest)].toSorted()));
    expect(await core.verify.verify(newest.name)).toMatchObject({ ok: true });
    // The names by which a user knows it.
    for (const text of [`${newest.name}.duckdb.zst.enc`, `${newest.name}.json`]) {
      expect(await core.catalog.show(text)).toMatchObject({ name: newest.name });
    }
  });

  it('keeps its block tables encrypted beside the database, too, and builds on them', async () => {
    await backUp(core);
    await core.close();
    const again = site.core('first', keys(FIRST_KEY));
    await again.boot();
    await again.write('INSERT INTO guests VALUES (2)');
    const { kind } = await backUp(again);
    expect(kind).toBe('incremental');
  });
});
