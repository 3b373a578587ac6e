import { afterEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import type { TestCore } from '../../support/core.js';
import { FIRST_KEY, keys, keysWith, SECOND_KEY } from '../../support/encryption.js';
import { backUp, contentOf, Site } from '../../support/site.js';

const SHIPS = { R2_WAL_SYNC_INTERVAL_MS: '3000' };
const MARK = randomBytes(12).toString('hex');

let site: Site;
afterEach(async () => site.remove());

async function ship(core: TestCore): Promise<void> {
  core.replication.look();
  await core.replication.ship();
}

describe.each([true, false])('the log of an encrypted repository, compressed: %s', (compressed) => {
  const env = { ...SHIPS, R2_COMPRESS_UPLOADS: String(compressed), ...keys(FIRST_KEY) };

  it('shows no content, and is replayed with the key alone', async () => {
    site = await Site.open('folder');
    const core = await site.populated('first', 3, env);
    await core.replication.connect();
    await backUp(core);
    await core.write(`CREATE TABLE notes AS SELECT '${MARK}' AS note`);
    await ship(core);
    await core.write(`CREATE TABLE big AS SELECT range AS n, '${MARK}' || range AS note FROM range(200000)`);
    await ship(core);
    await core.write("INSERT INTO notes VALUES ('the last')");
    await ship(core);
    const content = await contentOf(core);
    expect(core.replication.status.records).toBeGreaterThan(4);
    expect(await keysWith(core.store, MARK)).toEqual([]);

    const other = site.core('other', env);
    await other.boot();
    expect(await contentOf(other)).toEqual(content);
    const stranger = site.core('stranger', { ...SHIPS, ...keys(SECOND_KEY) });
    await expect(stranger.boot()).rejects.toMatchObject({ code: 'ENCRYPTION_KEY_MISSING' });
  });
});

describe('a restart under another key', () => {
  it('goes on where the log was, and both keys together restore every commit', async () => {
    site = await Site.open('folder');
    const core = await site.populated('first', 3, { ...SHIPS, ...keys(FIRST_KEY) });
    await core.replication.connect();
    await backUp(core);
    await core.write('INSERT INTO guests VALUES (100)');
    await ship(core);
    const position = core.lineage.at(await core.database.position());
    const before = await contentOf(core);
    await core.database.close();
    core.lineage.end();

    const both = { ...SHIPS, ...keys(SECOND_KEY, FIRST_KEY) };
    const rotated = site.core('first', both);
    await rotated.boot();
    await rotated.replication.connect();
    if (rotated.replication.state === 'awaiting-base') await backUp(rotated);
    await rotated.write('INSERT INTO guests VALUES (101)');
    await ship(rotated);
    const after = await contentOf(rotated);
    const other = site.core('other', both);
    await other.boot();
    expect(await contentOf(other)).toEqual(after);
    await other.online.restore(await other.restores.find({ position }));
    // And what migrations add.
    expect(await contentOf(other)).toEqual(expect.arrayContaining(before));
  });
});
