import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BackupCatalog } from '../../../src/backup/backup-catalog.js';
import type { TestCore } from '../../support/core.js';
import { backUp, Site } from '../../support/site.js';

const DAY = 86_400_000;

let site: Site;
let core: TestCore;

const names = async (): Promise<string[]> => (await core.repository.list()).backups.map(({ name }) => name);
/** A backup with a change of its own. */
const taken = async (request: Parameters<typeof backUp>[1] = {}): Promise<string> => {
  await core.write('INSERT INTO guests VALUES (1)');
  return (await backUp(core, { full: true, ...request })).name;
};

beforeEach(async () => {
  site = await Site.open('bucket', { dated: true });
  core = await site.populated('first', 3, { R2_BACKUP_RETENTION_DAYS: '30' });
});
afterEach(async () => site.remove());

describe('retention', () => {
  it('removes what is older than R2_BACKUP_RETENTION_DAYS, and a day later every object of it', async () => {
    const old = await taken();
    site.clock.advance(20 * DAY);
    const young = await taken();
    site.clock.advance(11 * DAY);
    const newest = await taken();
    const report = await core.retention.run();
    expect(report.backups.filter(({ keep }) => !keep)).toEqual([{ name: old, keep: false, reason: 'expired' }]);
    expect(await names()).toEqual([newest, young]);
    const left = (): string[] => site.s3.state.keys().filter((key) => key.includes(old));
    const tables = (): number => site.s3.state.keys().filter((key) => key.includes('/extents/')).length;
    expect(left()).toEqual([`backups/${old}.duckdb.zst`, `backups/pending/${old}.json`]);
    site.clock.advance(DAY);
    await core.retention.run();
    expect([left().length, tables()]).toEqual([2, 3]);
    site.clock.advance(1);
    expect(await core.retention.run()).toMatchObject({ remains: [old], extents: [expect.any(String)], denied: [] });
    expect([left().length, tables()]).toEqual([0, 2]);
    for (const name of [newest, young]) expect(await core.verify.verify(name)).toMatchObject({ ok: true });
  });

  it('never removes the newest backup, whatever its age', async () => {
    const newest = await taken();
    site.clock.advance(4000 * DAY);
    await core.retention.run();
    expect(await names()).toEqual([newest]);
  });

  it.each([
    ['is missing', async (key: string) => core.store.delete(key)],
    [
      'was cut',
      async (key: string) => {
        const bytes = await core.store.read(key);
        site.s3.advance(2_000);
        await core.store.put(key, bytes.subarray(10));
      },
    ],
  ])('never removes the newest good one: a newer one whose pack %s does not count', async (_, harm) => {
    const good = await taken();
    site.clock.advance(40 * DAY);
    const broken = await taken();
    await harm(`${broken}.duckdb.zst`);
    await core.retention.run();
    expect(await names()).toEqual([broken, good]);
    await expect(core.retention.remove(good)).rejects.toMatchObject({ code: 'BACKUP_IN_USE' });
  });

  it('keeps pinned and labelled ones, also where that was set later', async () => {
    const pinned = await taken({ pinned: true });
    const labelled = await taken({ label: 'before the gala' });
    const later = await taken();
    const dropped = await taken({ pinned: true });
    await core.catalog.annotate(later, { pinned: true });
    await core.catalog.annotate(dropped, { pinned: false });
    site.clock.advance(40 * DAY);
    const newest = await taken();
    await core.retention.run();
    expect(await names()).toEqual([newest, later, labelled, pinned]);
  });

  it('does nothing in a dry run but tells what it would do', async () => {
    const old = await taken();
    site.clock.advance(40 * DAY);
    await taken();
    const keys = site.s3.state.keys();
    const report = await core.retention.run({ dryRun: true });
    expect(report).toMatchObject({ dryRun: true, removed: [] });
    expect(report.backups).toContainEqual({ name: old, keep: false, reason: 'expired' });
    expect(site.s3.state.keys()).toEqual(keys);
  });

  it('keeps all with 0 days', async () => {
    await taken();
    site.clock.advance(4000 * DAY);
    await taken();
    const forever = site.core('second', { R2_BACKUP_RETENTION_DAYS: '0' });
    await forever.retention.run();
    expect(await names()).toHaveLength(2);
  });

  it('reports deletes that are denied, goes on, and leaves nothing half-removed in the list', async () => {
    const old = await taken();
    site.clock.advance(40 * DAY);
    const newest = await taken();
    site.s3.denyDeletes = true;
    const report = await core.retention.run();
    expect(report.denied).toContain(`${old}.json`);
    expect(report.removed).toEqual([]);
    expect(await names()).toEqual([newest, old]);
    site.s3.denyDeletes = false;
    expect(await core.verify.verify(old)).toMatchObject({ ok: true });
    await core.retention.run();
    expect(await names()).toEqual([newest]);
    site.clock.advance(DAY + 1);
    site.s3.faults.failAlways(403, { operation: 'DeleteObject', key: /\.duckdb\.zst$/ });
    expect((await core.retention.run()).denied).toEqual([`${old}.duckdb.zst`]);
    expect((await core.repository.list()).foreign).toEqual([]);
    site.s3.faults.clear();
    await core.retention.run();
    expect(site.s3.state.keys().filter((key) => key.includes(old))).toEqual([]);
  });

  it('removes nothing when any request of its listing fails', async () => {
    await taken();
    site.clock.advance(40 * DAY);
    await taken();
    const keys = site.s3.state.keys();
    const before = site.s3.count();
    await core.retention.run({ dryRun: true });
    const requests = site.s3.count() - before;
    expect(requests).toBeGreaterThan(3);
    for (let nth = 1; nth <= requests; nth++) {
      site.s3.faults.failNth(nth, 403);
      // The last listing of a dry run is of what has no part in the decision.
      const dryRun = nth === requests;
      await expect(core.retention.run({ dryRun })).rejects.toMatchObject({ code: 'STORE_DENIED' });
      site.s3.faults.clear();
    }
    expect(site.s3.state.keys()).toEqual(keys);
  });

  it('removes what is left of a backup that was cut off, a day later', async () => {
    await taken();
    site.clock.advance(60_000);
    site.s3.faults.failAlways(403, { operation: 'PutObject', key: /backups\/[^/]*\.json$/ });
    site.s3.faults.failAlways(403, { operation: 'DeleteObject' });
    await expect(taken()).rejects.toMatchObject({ code: 'STORE_DENIED' });
    site.s3.faults.clear();
    const left = (): string[] => site.s3.state.keys().filter((key) => key.includes('20260101-000100'));
    expect(left().length).toBeGreaterThan(1);
    expect((await core.repository.list()).foreign).toEqual([]);
    await core.retention.run();
    expect(left().length).toBeGreaterThan(1);
    site.clock.advance(DAY + 1);
    const report = await core.retention.run();
    expect(report.remains).toEqual(['hesocial-backup-20260101-000100']);
    expect(left()).toEqual([]);
    expect(site.s3.state.keys().filter((key) => key.includes('/extents/'))).toHaveLength(1);
    expect(await core.verify.verify((await names())[0] ?? '')).toMatchObject({ ok: true });
  });

  it('never touches what somebody put there by hand', async () => {
    await core.store.put('old-system-20200101-000000.duckdb.gz', Buffer.from('by hand'));
    await core.store.put('notes.txt', Buffer.from('mine'));
    await taken();
    site.clock.advance(4000 * DAY);
    await core.retention.run();
    expect(site.s3.state.keys()).toEqual(
      expect.arrayContaining(['backups/notes.txt', 'backups/old-system-20200101-000000.duckdb.gz']),
    );
  });

  it('that is cut off after each of its requests is finished by the next run, and never lists half a backup', async () => {
    let faults = 0;
    for (let nth = 1; ; nth++) {
      await taken();
      site.clock.advance(40 * DAY);
      await taken();
      site.s3.advance(2_000);
      site.s3.faults.add({ kind: 'reset' }, {}, { nth: nth + 4, times: Infinity });
      const failed = await core.retention.run().then(
        () => false,
        () => true,
      );
      site.s3.faults.clear();
      faults++;
      const { backups, foreign } = await core.repository.list();
      expect(foreign).toEqual([]);
      for (const { name } of backups) {
        expect(await core.verify.quick(await core.repository.manifests.of(name))).toMatchObject({ ok: true });
      }
      site.s3.advance(2_000);
      await core.retention.run();
      expect(await names()).toHaveLength(1);
      if (!failed) break;
    }
    expect(faults).toBeGreaterThan(5);
  });
});

describe('the removal of one backup', () => {
  it('removes it from the list at once, and frees its room a day later', async () => {
    const old = await taken({ label: 'no longer' });
    await core.catalog.annotate(old, { label: 'never' });
    site.clock.advance(1000);
    await taken();
    await core.retention.remove(old);
    const left = (): string[] => site.s3.state.keys().filter((key) => key.includes(old));
    expect(left()).toEqual([`backups/${old}.duckdb.zst`, `backups/pending/${old}.json`]);
    site.clock.advance(DAY + 1);
    await core.retention.run();
    expect(left()).toEqual([]);
    await expect(new BackupCatalog(core.repository).show(old)).rejects.toMatchObject({ code: 'BACKUP_NOT_FOUND' });
  });

  it('is refused for the newest and for pinned ones', async () => {
    const pinned = await taken({ pinned: true });
    const newest = await taken();
    await expect(core.retention.remove(newest)).rejects.toMatchObject({ code: 'BACKUP_IN_USE' });
    await expect(core.retention.remove(pinned)).rejects.toMatchObject({ code: 'BACKUP_IN_USE' });
    expect(await names()).toEqual([newest, pinned]);
  });

  it('is refused for a name that does not exist', async () => {
    await taken();
    await expect(core.retention.remove('hesocial-backup-19990101-000000')).rejects.toMatchObject({
      code: 'BACKUP_NOT_FOUND',
    });
  });

  it('tells where the credentials may not delete', async () => {
    const old = await taken();
    await taken();
    site.s3.denyDeletes = true;
    await expect(core.retention.remove(old)).rejects.toMatchObject({ code: 'STORE_DENIED' });
    expect(await names()).toHaveLength(2);
  });
});
