import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newWorkingCopy } from '../../../src/restore/leftovers.js';
import { BackupDownload } from '../../../src/restore/backup-download.js';
import type { Manifest } from '../../../src/repository/manifest.js';
import type { TestCore } from '../../support/core.js';
import { filesBelow, FIRST_KEY, keys, objectsIn, SECOND_KEY } from '../../support/encryption.js';
import { ADAPTERS, backUp, contentOf, Site } from '../../support/site.js';

const MISSING = 'ENCRYPTION_KEY_MISSING';
const WRONG: readonly [string, Record<string, string>, string][] = [
  ['without any key', {}, 'this service has no key'],
  ['with another key', keys(SECOND_KEY), `only ${SECOND_KEY.id}`],
  ['with encryption off and no key behind', keys('off'), 'this service has no key'],
];

let site: Site;
let core: TestCore;
let manifest: Manifest;

/** One encrypted backup of a machine, and a change since then. */
async function begin(adapter: (typeof ADAPTERS)[number]): Promise<void> {
  site = await Site.open(adapter);
  core = await site.populated('first', 3, keys(FIRST_KEY));
  manifest = await backUp(core);
  await core.write('INSERT INTO guests VALUES (4)');
}
afterEach(async () => site.remove());

/** Runs what must be refused, and looks at every object and every file before and after. */
async function expectUntouched(folder: string, work: () => Promise<unknown>, text: string): Promise<void> {
  const [objects, files] = [await objectsIn(core.store), await filesBelow(folder)];
  await expect(work()).rejects.toMatchObject({
    code: MISSING,
    message: expect.stringMatching(new RegExp(`${FIRST_KEY.id}.*${text}`)),
  });
  expect(await objectsIn(core.store)).toEqual(objects);
  expect(await filesBelow(folder)).toEqual(files);
}

describe.each(ADAPTERS)('in a %s', (adapter) => {
  beforeEach(async () => begin(adapter));
  // A bucket differs in nothing but the store: once is enough.
  const wrong = adapter === 'folder' ? WRONG : WRONG.slice(1, 2);

  it.each(wrong)(
    '%s nothing is restored, verified, proven or handed out, and nothing is touched',
    async (_, env, text) => {
      await core.close();
      const other = site.core('first', env);
      const found = await other.restores.find({ backup: manifest.name });
      const attempts: readonly (() => Promise<unknown>)[] = [
        () => other.start.replaceLocal(found),
        () => other.offline.toFile(found, join(other.folder, 'elsewhere', 'x.duckdb')),
        () => other.restores.plan(found),
        () => other.verify.verify(manifest.name),
        () => other.proofs.prove(manifest),
        () => new BackupDownload(other.restores).open(manifest.name, new AbortController().signal),
        () => other.start.run(),
        () => other.start.keepLocal(),
      ];
      for (const attempt of attempts) await expectUntouched(other.folder, attempt, text);
      // Its objects can be counted without the key.
      expect(await other.verify.quick(manifest)).toMatchObject({ ok: true });
      expect((await other.catalog.page()).backups).toMatchObject([{ name: manifest.name }]);
    },
  );

  it.each(wrong)('%s a machine without a database does not begin an empty one', async (_, env, text) => {
    const empty = site.core('empty', { ...env, ALLOW_EMPTY_START: 'true' });
    await expectUntouched(site.path, () => empty.boot(), text);
    expect(empty.database.isOpen).toBe(false);
  });

  it.each(wrong)('%s a backup is refused before anything is stored, and the database goes on', async (_, env, text) => {
    await core.close();
    const other = site.core('first', env);
    await other.open();
    await other.write('INSERT INTO guests VALUES (5)');
    for (const request of [{}, { full: true }, { trigger: 'shutdown' as const }, { onlyIfChanged: true }]) {
      await expectUntouched(other.folder, () => backUp(other, request), text);
    }
    expect(other.backups.status).toMatchObject({ lastError: { code: MISSING } });
    await other.write('INSERT INTO guests VALUES (6)');
    expect(await other.number('SELECT count(*) FROM guests')).toBe(6);
  });
});

describe('without its key', () => {
  beforeEach(async () => begin('folder'));

  it('a restore in the place of the database does not even clear up what a kill left', async () => {
    await core.close();
    const other = site.core('first', {});
    await writeFile(newWorkingCopy(other.database.path), 'half of a restore');
    const found = await other.restores.find({ backup: manifest.name });
    await expectUntouched(other.folder, () => other.start.replaceLocal(found), 'no key');
  });

  it('an online restore is refused before writes are held off', async () => {
    const other = site.core('other', keys(SECOND_KEY), { store: site.store('other/') });
    await other.boot();
    await other.write('CREATE TABLE guests AS SELECT 1 AS id');
    const content = await contentOf(other);
    const { signal } = new AbortController();
    await expect(other.online.restore({ kind: 'eider', manifest }, { signal })).rejects.toMatchObject({
      code: MISSING,
    });
    expect(await contentOf(other)).toEqual(content);
    await other.write('INSERT INTO guests VALUES (2)');
    expect((await other.repository.list()).backups).toEqual([]);
  });

  it('a plain backup does not follow one whose manifest is damaged, too', async () => {
    await core.close();
    await core.store.delete(`${manifest.name}.json`);
    await core.store.put(`${manifest.name}.json`, Buffer.from('{'));
    const objects = await objectsIn(core.store);
    const other = site.core('first', {});
    await other.open();
    await expect(backUp(other, { full: true })).rejects.toMatchObject({
      code: MISSING,
      message: expect.stringContaining('is encrypted, and this service has no key'),
    });
    expect(await objectsIn(core.store)).toEqual(objects);
    await other.close();
    // Whoever says what is to be written goes on.
    const decided = site.core('first', keys('off'));
    await decided.open();
    expect(await backUp(decided, { full: true })).toMatchObject({ encryption: null });
  });

  it('retention goes on: it opens nothing', async () => {
    await core.write('INSERT INTO guests VALUES (5)');
    site.clock.advance(40 * 86_400_000);
    const newest = await backUp(core, { full: true });
    const other = site.core('other');
    await other.retention.run();
    expect((await other.repository.list()).backups.map(({ name }) => name)).toEqual([newest.name]);
  });
});
