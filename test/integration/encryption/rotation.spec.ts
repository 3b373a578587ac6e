import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { reportKeys } from '../../../src/backup/key-report.js';
import type { EncryptionKey } from '../../../src/encryption/encryption-key.js';
import type { Manifest } from '../../../src/repository/manifest.js';
import type { TestCore } from '../../support/core.js';
import { FIRST_KEY, keys, SECOND_KEY } from '../../support/encryption.js';
import { backUp, contentOf, Site } from '../../support/site.js';

let site: Site;
let core: TestCore;
let guests = 100;

beforeEach(async () => {
  site = await Site.open('folder', { compares: true });
});
afterEach(async () => site.remove());

/** The same machine, started again with other keys. */
async function restartWith(...list: readonly (EncryptionKey | 'off')[]): Promise<void> {
  await core.close();
  core = site.core('first', list.length === 0 ? {} : keys(...list));
  await core.boot();
}

/** A backup of a change. */
async function taken(request: Parameters<typeof backUp>[1] = {}): Promise<Manifest> {
  await core.write(`INSERT INTO guests VALUES (${guests++})`);
  return backUp(core, request);
}

async function expectRestorable(manifest: Manifest, rows: number, ...list: readonly EncryptionKey[]): Promise<void> {
  const reader = site.core(`reader-${guests++}`, keys(...list));
  await reader.offline.toFile({ kind: 'eider', manifest }, reader.database.path);
  await reader.open();
  expect(await reader.number('SELECT count(*) FROM guests')).toBe(rows);
}

describe('a rotation', () => {
  it('makes the next backup a full one, and old ones are read by the old key behind the new one', async () => {
    core = await site.populated('first', 3, keys(FIRST_KEY));
    const first = await backUp(core);
    const old = await taken();
    await restartWith(SECOND_KEY, FIRST_KEY);
    const full = await taken();
    const next = await taken();
    expect([first, old, full, next].map(({ kind, encryption }) => [kind, encryption?.keyId])).toEqual([
      ['full', FIRST_KEY.id],
      ['incremental', FIRST_KEY.id],
      ['full', SECOND_KEY.id],
      ['incremental', SECOND_KEY.id],
    ]);
    await expectRestorable(old, 4, SECOND_KEY, FIRST_KEY);
    await expectRestorable(next, 6, SECOND_KEY);
    const other = site.core('other', keys(SECOND_KEY));
    await expect(other.verify.verify(old.name)).rejects.toMatchObject({ code: 'ENCRYPTION_KEY_MISSING' });
  });

  it.each(['shutdown', 'pre-restore'] as const)(
    'makes a %s backup a full one, too, although somebody waits',
    async (trigger) => {
      core = await site.populated('first', 3, keys(FIRST_KEY));
      await backUp(core);
      await restartWith(SECOND_KEY, FIRST_KEY);
      expect(await taken({ trigger })).toMatchObject({ kind: 'full', encryption: { keyId: SECOND_KEY.id } });
    },
  );

  it('is over when no backup needs the old key any more', async () => {
    core = await site.populated('first', 3, keys(FIRST_KEY));
    const old = await backUp(core);
    await restartWith(SECOND_KEY, FIRST_KEY);
    const next = await taken();
    expect(await reportKeys(core.repository)).toEqual({
      writes: SECOND_KEY.id,
      keys: [
        { id: SECOND_KEY.id, backups: 1 },
        { id: FIRST_KEY.id, backups: 1 },
      ],
      backups: [
        { name: next.name, keyId: SECOND_KEY.id, readable: true, error: null },
        { name: old.name, keyId: FIRST_KEY.id, readable: true, error: null },
      ],
    });
    await core.retention.remove(old.name);
    expect((await reportKeys(core.repository)).keys).toContainEqual({ id: FIRST_KEY.id, backups: 0 });
    await restartWith(SECOND_KEY);
    expect(await taken()).toMatchObject({ kind: 'incremental' });
  });
});

describe('encryption', () => {
  it('is turned on by a key: the next backup is a full one, and plain ones can still be read', async () => {
    core = await site.populated('first', 3);
    const plain = await backUp(core);
    await restartWith(FIRST_KEY);
    expect(await taken()).toMatchObject({ kind: 'full', encryption: { keyId: FIRST_KEY.id } });
    await expectRestorable(plain, 3, FIRST_KEY);
  });

  it('is turned off by `off` in front of the key, and not by leaving the key out', async () => {
    core = await site.populated('first', 3, keys(FIRST_KEY));
    const encrypted = await backUp(core);
    await expect(restartWith()).rejects.toMatchObject({ code: 'ENCRYPTION_KEY_MISSING' });
    await restartWith('off', FIRST_KEY);
    const content = await contentOf(core);
    const plain = await taken();
    expect(plain).toMatchObject({ kind: 'full', encryption: null, packs: [{ key: `${plain.name}.duckdb.zst` }] });
    expect(content).not.toEqual(await contentOf(core));
    await expectRestorable(encrypted, 3, FIRST_KEY);
    // From here on no key is needed.
    await restartWith();
    expect(await taken()).toMatchObject({ kind: 'incremental', encryption: null });
  });

  it('of each backup is told, with those that cannot be read and those that are damaged', async () => {
    core = await site.populated('first', 3, keys(FIRST_KEY));
    const encrypted = await backUp(core);
    const damaged = await taken();
    await core.store.delete(`${damaged.name}.json`);
    await core.store.put(`${damaged.name}.json`, Buffer.from('{'));
    const other = site.core('other');
    expect(await reportKeys(other.repository)).toMatchObject({
      writes: null,
      keys: [],
      backups: [
        { name: damaged.name, keyId: null, readable: false, error: expect.stringContaining('is not JSON') },
        { name: encrypted.name, keyId: FIRST_KEY.id, readable: false, error: null },
      ],
    });
  });
});
