import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { closeDatabase } from '../../../src/backup/close-database.js';
import type { Manifest } from '../../../src/repository/manifest.js';
import type { TestCore } from '../../support/core.js';
import { type Adapter, ADAPTERS, backUp, contentOf, Site } from '../../support/site.js';

let site: Site;
let core: TestCore;
let older: Manifest;
let manifest: Manifest;
let content: string[];

const cut = (bytes: Buffer): Buffer => bytes.subarray(0, bytes.length - 20);
const flip = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes);
  copy[copy.length >> 1] = (copy[copy.length >> 1] ?? 0) ^ 1;
  return copy;
};

/** Puts other bytes in the place of an object, as bit rot or a stranger does. */
async function harm(key: string, change: (bytes: Buffer) => Buffer): Promise<void> {
  const bytes = await core.store.read(key);
  await core.store.delete(key);
  await core.store.put(key, change(bytes));
}

async function begin(adapter: Adapter): Promise<void> {
  site = await Site.open(adapter, { compares: true });
  core = await site.populated('first', 5_000);
  older = await backUp(core);
  await core.write('CREATE TABLE log AS SELECT md5(range::VARCHAR) AS text FROM range(20000)');
  await core.database.checkpoint();
  await core.write('INSERT INTO guests VALUES (-1)');
  manifest = await core.database.transaction(async (session) => {
    await session.run('UPDATE guests SET id = id WHERE id = 3');
    return backUp(core, { checkpointTimeoutMs: -1 });
  });
  content = await contentOf(core);
}

/** Another process, which has read nothing yet. */
const newcomer = (): TestCore => site.core('newcomer', { DUCKDB_PATH: core.database.path });

describe.each(ADAPTERS)('in a %s', (adapter) => {
  beforeEach(async () => begin(adapter));
  afterEach(async () => site.remove());

  const PARTS: readonly [string, () => string, string][] = [
    ['a pack', () => manifest.packs[0]?.key ?? '', 'BACKUP_DAMAGED'],
    ['a write-ahead log', () => manifest.wal?.key ?? '', 'BACKUP_DAMAGED'],
    ['a block table', () => manifest.extents[0]?.key ?? '', '(EXTENT_CORRUPT|BACKUP_DAMAGED)'],
    ['a manifest', () => `${manifest.name}.json`, 'MANIFEST_CORRUPT'],
  ];
  const HARMS: readonly [string, (bytes: Buffer) => Buffer][] = [
    ['was cut', cut],
    ['has a flipped bit', flip],
    ['is empty', () => Buffer.alloc(0)],
  ];

  it.each(PARTS)(
    '%s that was cut, has a flipped bit, is empty or is missing is never restored',
    async (_, key, code) => {
      const whole = await core.store.read(key());
      // A database of its own, which has no block of the backup.
      const elsewhere = await site.populated('elsewhere', 3, {}, false);
      const before = await contentOf(elsewhere);
      for (const change of [...HARMS.map(([, apply]) => apply), undefined]) {
        await core.store.delete(key());
        if (change !== undefined) await core.store.put(key(), change(whole));
        const other = newcomer();
        const expected = change === undefined && code === 'MANIFEST_CORRUPT' ? 'BACKUP_NOT_FOUND' : code;
        const restoring = other.restores
          .find({ backup: manifest.name })
          .then((found) => elsewhere.online.restore(found, { force: true }));
        await expect(restoring).rejects.toMatchObject({ code: expect.stringMatching(`^${expected}$`) });
        expect(await contentOf(elsewhere)).toEqual(before);
      }
      expect(await contentOf(core)).toEqual(content);
      // The older backup is none the worse.
      await core.offline.toFile(await newcomer().restores.find({ backup: older.name }), `${site.path}/older.duckdb`);
    },
  );
});

describe('damage', () => {
  beforeEach(async () => begin('folder'));
  afterEach(async () => site.remove());

  it('of a pack is found by verify, which names the block', async () => {
    await harm(manifest.packs[0]?.key ?? '', flip);
    const report = await newcomer().verify.verify(manifest.name);
    expect(report).toMatchObject({ ok: false, damages: [{ key: manifest.packs[0]?.key }] });
    expect(report.damages[0]?.block).toBeGreaterThanOrEqual(-1);
  });

  it('of a missing pack is found by verify', async () => {
    await core.store.delete(manifest.packs[0]?.key ?? '');
    expect(await newcomer().verify.verify(manifest.name)).toMatchObject({ ok: false });
  });

  it('of a manifest is listed as such, and the others are listed all the same', async () => {
    await harm(`${manifest.name}.json`, flip);
    expect((await newcomer().catalog.page()).backups).toMatchObject([
      { source: 'damaged', name: manifest.name, code: 'MANIFEST_CORRUPT' },
      { source: 'eider', name: older.name },
    ]);
  });

  it('of the newest manifest stops a start that would otherwise lose it, with its name', async () => {
    await harm(`${manifest.name}.json`, cut);
    await expect(site.core('empty').boot()).rejects.toMatchObject({
      code: 'MANIFEST_CORRUPT',
      message: expect.stringContaining(manifest.name),
    });
  });

  it('of the newest manifest keeps neither the database that wrote it from starting nor its next backup from being taken', async () => {
    await harm(`${manifest.name}.json`, flip);
    await closeDatabase(core, true);
    const again = site.core();
    expect((await again.boot()).decision).toMatchObject({ action: 'keep', row: 'local-up-to-date' });
    await again.write('INSERT INTO guests VALUES (100)');
    expect(await backUp(again)).toMatchObject({ parent: manifest.name, fork: false });
    expect((await site.core('third').boot()).decision).toMatchObject({ action: 'restore' });
  });

  it('of the newest manifest can be left behind: an older backup is restored by its name, and the start keeps it', async () => {
    await harm(`${manifest.name}.json`, flip);
    const second = site.core('second');
    await second.start.replaceLocal(await second.restores.find({ backup: older.name }));
    expect((await second.boot()).decision).toMatchObject({ action: 'keep' });
    expect(await backUp(second)).toMatchObject({ parent: manifest.name, fork: false });
  });

  it('of a newer format is refused and told, even where its fields are unknown', async () => {
    const fields = { ...manifest, format: 2, blocks: 'elsewhere' };
    const checksum = createHash('sha256').update(JSON.stringify(fields)).digest('hex');
    await harm(`${manifest.name}.json`, () => Buffer.from(JSON.stringify({ ...fields, checksum })));
    await expect(newcomer().restores.find({ backup: manifest.name })).rejects.toMatchObject({
      code: 'REPOSITORY_FORMAT_NEWER',
    });
    await expect(site.core('empty').boot()).rejects.toMatchObject({ code: 'REPOSITORY_FORMAT_NEWER' });
  });

  it('of the repository record stops backups before anything is written', async () => {
    await harm('repository.json', cut);
    const objects = (await core.repository.list()).objects.size;
    await expect(newcomer().repository.claim()).rejects.toMatchObject({ code: 'REPOSITORY_CORRUPT' });
    expect((await core.repository.list()).objects.size).toBe(objects);
  });

  it('of a note stops retention: it might have been a pin', async () => {
    await core.catalog.annotate(older.name, { pinned: true });
    await harm(`notes/${older.name}.json`, cut);
    site.clock.advance(400 * 86_400_000);
    await expect(core.retention.run()).rejects.toMatchObject({ code: 'MANIFEST_CORRUPT' });
    expect((await core.repository.list()).backups).toHaveLength(2);
  });
});
