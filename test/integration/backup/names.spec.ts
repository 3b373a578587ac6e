import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestCore } from '../../support/core.js';
import { TestClock } from '../../support/core.js';
import { backUp, Site } from '../../support/site.js';

let site: Site;
let core: TestCore;

describe('the name of a backup', () => {
  beforeEach(async () => {
    site = await Site.open('folder');
    core = await site.populated();
  });
  afterEach(async () => site.remove());

  it.each([
    ['interval', 'hesocial-backup-20260101-000000'],
    ['shutdown', 'hesocial-backup-20260101-000000'],
    ['pre-restore', 'hesocial-backup-20260101-000000'],
    ['migration', 'hesocial-backup-20260101-000000'],
    ['manual', 'hesocial-manual-20260101-000000'],
  ] as const)('of the trigger %s is %s', async (trigger, name) => {
    expect(await backUp(core, { trigger })).toMatchObject({ trigger, name });
  });

  it('follows R2_DATABASE_KEY and R2_BACKUP_NAME', async () => {
    const env = { R2_DATABASE_KEY: 'guests.duckdb', R2_BACKUP_NAME: 'gala' };
    const other = await site.populated('other', 3, env);
    expect((await backUp(other)).name).toBe('guests-20260101-000000');
    expect((await backUp(other, { trigger: 'manual' })).name).toBe('gala-manual-20260101-000000-2');
  });

  it('ends with -2 and -3 for further ones in the same second, whatever their stem', async () => {
    const names = [await backUp(core), await backUp(core, { trigger: 'manual' }), await backUp(core)];
    expect(names.map(({ name }) => name)).toEqual([
      'hesocial-backup-20260101-000000',
      'hesocial-manual-20260101-000000-2',
      'hesocial-backup-20260101-000000-3',
    ]);
  });

  it('comes after those there are although the clock is behind', async () => {
    await backUp(core);
    const late = new TestClock(new Date('2025-12-31T23:00:00Z'));
    const second = site.core('second', {}, { clock: late });
    await second.boot();
    await second.write('INSERT INTO guests VALUES (100)');
    const newest = await backUp(second);
    expect(newest).toMatchObject({ name: 'hesocial-backup-20260101-000000-2', createdAt: '2025-12-31T23:00:00.000Z' });
    expect((await second.repository.list()).backups[0]?.name).toBe(newest.name);
  });

  it('is not that of a file which somebody put there', async () => {
    await core.store.put('hesocial-backup-20260101-000000.duckdb.gz', Buffer.from('by hand'));
    expect((await backUp(core)).name).toBe('hesocial-backup-20260101-000000-2');
  });

  it('is not that of a backup which was never completed', async () => {
    await core.repository.reservations.take('hesocial-backup-20260101-000000');
    expect((await backUp(core)).name).toBe('hesocial-backup-20260101-000000-2');
  });
});

describe('a name that two processes reserve at once', () => {
  beforeEach(async () => {
    site = await Site.open('bucket');
    core = await site.populated();
  });
  afterEach(async () => site.remove());

  it('belongs to one, also where that one has committed its backup before the other has looked', async () => {
    const name = 'hesocial-backup-20260101-000000';
    const late = site.core('late');
    const pending = site.s3.faults.hold({ operation: 'PutObject', key: /\/pending\// });
    const reserving = late.repository.reservations.take(name);
    await pending.reached;
    expect((await backUp(core)).name).toBe(name);
    pending.open();
    expect(await reserving).toBe(false);
    expect((await core.repository.list()).pending.size).toBe(0);
  });
});
