import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { manifestCacheOf } from '../../../src/database/database-files.js';
import { type Manifest, objectsOf } from '../../../src/repository/manifest.js';
import { manifestKey } from '../../../src/repository/keys.js';
import { TestClock, type TestCore } from '../../support/core.js';
import { ADAPTERS, backUp, contentOf, Site } from '../../support/site.js';

const DAY_MS = 86_400_000;

let site: Site;
let core: TestCore;
let first: Manifest;
let newest: Manifest;
/** What was beside the database after the first backup. */
let older: Buffer;

async function begin(adapter: (typeof ADAPTERS)[number]): Promise<void> {
  site = await Site.open(adapter);
  core = await site.populated('first', 50_000);
  first = await backUp(core);
  older = await readFile(manifestCacheOf(core.database.path));
  await core.write('CREATE TABLE notes AS SELECT md5(range::VARCHAR) AS note FROM range(20000)');
  site.clock.advance(60_000);
  newest = await backUp(core);
  await core.close();
}
afterEach(async () => site.remove());

/** Starts again on the same disk, and commits something. */
async function startAgain(): Promise<void> {
  core = site.core('first');
  await core.boot();
  await core.write('INSERT INTO guests VALUES (-2)');
}

/** How often a manifest was fetched from the bucket. */
const fetches = (name: string): number =>
  site.s3.log.filter(({ operation, key }) => operation === 'GetObject' && key === `backups/${manifestKey(name)}`)
    .length;

async function expectWhole(backup: Manifest): Promise<void> {
  expect(await core.verify.verify(backup.name)).toMatchObject({ ok: true });
  const other = site.core('other');
  await other.offline.toFile(await other.restores.find({ backup: backup.name }), other.database.path);
  await other.open();
  expect(await contentOf(other)).toEqual(await contentOf(core));
}

describe.each(ADAPTERS)('the last manifest beside the database, with a %s', (adapter) => {
  beforeEach(async () => begin(adapter));

  it('holds the bytes that were stored', async () => {
    expect(await readFile(manifestCacheOf(core.database.path))).toEqual(
      await core.store.read(manifestKey(newest.name)),
    );
  });

  it('is built on by the first backup after a start', async () => {
    await startAgain();
    const next = await backUp(core);
    expect(next).toMatchObject({ kind: 'incremental', parent: newest.name });
    expect(next.packs.map(({ key }) => key)).toContain(`${newest.name}.blocks.zst`);
    await expectWhole(next);
  });
});

describe('the last manifest beside the database', () => {
  beforeEach(async () => begin('bucket'));

  const path = (): string => manifestCacheOf(core.database.path);
  /** What another service, at the same time and under the same names, keeps of its own repository. */
  const ofAnotherRepository = async (): Promise<Buffer> => {
    const stranger = site.core('stranger', {}, { store: site.store('others/'), clock: new TestClock() });
    await stranger.boot();
    await backUp(stranger);
    await stranger.write('CREATE TABLE guests (id INTEGER)');
    stranger.clock.advance(60_000);
    expect((await backUp(stranger)).name).toBe(newest.name);
    return readFile(manifestCacheOf(stranger.database.path));
  };

  it('is not fetched, neither by a start nor by its first backup', async () => {
    await startAgain();
    const next = await backUp(core);
    expect(next).toMatchObject({ kind: 'incremental', parent: newest.name });
    expect(fetches(newest.name)).toBe(0);
  });

  it.each<[string, () => Promise<void>]>([
    ['missing', async () => rm(path())],
    ['empty', async () => writeFile(path(), '')],
    ['cut off', async () => writeFile(path(), (await readFile(path())).subarray(0, 700))],
    ['no file', async () => rm(path()).then(() => writeFile(`${path()}.tmp`, 'cut off'))],
    ['of the backup before', async () => writeFile(path(), older)],
    ['of another repository', async () => writeFile(path(), await ofAnotherRepository())],
  ])('is fetched where the one here is %s', async (_, harm) => {
    await harm();
    await startAgain();
    expect(fetches(newest.name)).toBe(1);
    const next = await backUp(core);
    expect(next).toMatchObject({ kind: 'incremental', parent: newest.name });
    expect(await readFile(path())).toEqual(await core.store.read(manifestKey(next.name)));
    await expectWhole(next);
  });

  it('is fetched where a single bit of the one here is another', async () => {
    const bytes = await readFile(path());
    for (let at = 0; at < bytes.length; at += 97) {
      const bent = Buffer.from(bytes);
      bent[at]! ^= 1 << (at % 8);
      await writeFile(path(), bent);
      const before = fetches(newest.name);
      const { repository } = site.core('first');
      await repository.list();
      expect(await repository.manifests.of(newest.name)).toEqual(newest);
      expect(fetches(newest.name)).toBe(before + 1);
    }
  });

  it('counts for nothing where the store holds another one under its name', async () => {
    site.s3.advance(2_000);
    await core.store.put(manifestKey(newest.name), Buffer.from('{}'));
    await startAgain();
    expect(await backUp(core)).toMatchObject({ kind: 'full' });
  });

  it('is fetched from a store whose ETags are no MD5', async () => {
    site.s3.rewrite = (text) => text.replaceAll(/(<ETag>&quot;|<ETag>")([0-9a-f]{32})/g, '$1$2-kms');
    await startAgain();
    expect(fetches(newest.name)).toBe(1);
    expect(await backUp(core)).toMatchObject({ kind: 'incremental', parent: newest.name });
  });

  it('is not what a check goes by, nor a proof: they read the one in the store', async () => {
    await startAgain();
    expect(fetches(newest.name)).toBe(0);
    expect(await core.verify.verify(newest.name)).toMatchObject({ ok: true });
    expect(fetches(newest.name)).toBe(1);
    expect(await core.proofs.prove(newest)).toMatchObject({ ok: true });
    expect(fetches(newest.name)).toBe(2);
  });

  it('does not hide that the one in the store is damaged', async () => {
    await startAgain();
    site.s3.advance(2_000);
    await core.store.put(manifestKey(newest.name), Buffer.from('{}'));
    await expect(core.verify.verify(newest.name)).rejects.toMatchObject({ code: 'MANIFEST_CORRUPT' });
    expect(await core.proofs.prove(newest)).toMatchObject({ ok: false, why: expect.stringContaining('checksum') });
    expect(await backUp(core)).toMatchObject({ kind: 'full' });
  });

  it('of a backup that was removed meanwhile is never built on', async () => {
    await site.core('janitor').repository.retire(newest.name, objectsOf(newest));
    await startAgain();
    const next = await backUp(core);
    expect(next.kind).toBe('incremental');
    expect(next.packs.map(({ key }) => key)).toEqual([`${next.name}.blocks.zst`, ...first.packs.map(({ key }) => key)]);
    const later = site.core('later', {}, { clock: new TestClock(new Date(Date.now() + 2 * DAY_MS)) });
    expect((await later.retention.run()).removed).toContain(`${newest.name}.blocks.zst`);
    await expectWhole(next);
  });

  it('of a backup that is removed between the listing and the reservation is not built on', async () => {
    await startAgain();
    const reservation = site.s3.faults.hold({ operation: 'PutObject', key: /pending\// });
    const taking = backUp(core);
    await reservation.reached;
    const janitor = site.core('janitor');
    await janitor.store.delete(manifestKey(newest.name));
    reservation.open();
    const next = await taking;
    expect(next.kind).toBe('full');
    expect(fetches(newest.name)).toBe(0);
    await expectWhole(next);
  });
});
