import { afterEach, describe, expect, it } from '@jest/globals';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestCore } from '../../support/core.js';
import { manyBackups } from '../../support/many-backups.js';
import { Site } from '../../support/site.js';

const COUNT = 2_000;
const DAY = 86_400_000;
/** Thousands of requests: a machine with other work takes longer than a test usually may. */
const TIMEOUT_MS = 180_000;
/** A little less than the oldest backups are old: some hundred go. */
const RULES = { R2_BACKUP_RETENTION_DAYS: '40', BACKUP_KEEP_ALL_HOURS: '948' };

let site: Site;
let core: TestCore;
afterEach(async () => site.remove());

describe(`a bucket with ${COUNT} backups`, () => {
  it(
    'is listed page by page; a listing that fails on any page removes nothing; old ones go, and their objects a day later',
    async () => {
      site = await Site.open('bucket', { dated: true });
      for (const { key, body } of manyBackups(COUNT, site.clock.now()))
        site.s3.state.put(`backups/${key}`, body, undefined);
      site.clock.advance(2 * 3_600_000);
      core = site.core('first', RULES);
      const keys = site.s3.state.keys();
      expect(keys.length).toBeGreaterThan(3 * COUNT);

      const lists = (): number => site.s3.count('ListObjectsV2');
      const before = lists();
      const told = await core.retention.run({ dryRun: true });
      const pages = lists() - before;
      expect(told.objects).toHaveLength(keys.length);
      expect(told.backups).toHaveLength(COUNT);
      // Five of manifests and packs, one each of markers, holds and notes, two of tables; in a dry run seven more of everything.
      expect(pages).toBe(17);

      for (const page of [2, 3, 6, 9, 10, pages]) {
        site.s3.faults.failNth(page, 403, { operation: 'ListObjectsV2' });
        // The last pages are of what has no part in the decision.
        const dryRun = page === pages;
        await expect(core.retention.run({ dryRun })).rejects.toMatchObject({ code: 'STORE_DENIED' });
        site.s3.faults.clear();
      }
      expect(site.s3.state.keys()).toEqual(keys);

      const gets = site.s3.count('GetObject');
      const { removed } = await core.retention.run();
      // Its own record alone: manifests and notes are known.
      expect(site.s3.count('GetObject') - gets).toBeLessThanOrEqual(1);
      const going = told.objects?.filter(({ action }) => action === 'delete').map(({ key }) => key);
      expect(removed.toSorted()).toEqual(going?.toSorted());
      expect(removed.length).toBeGreaterThan(100);

      site.clock.advance(DAY + 1);
      const gone = told.backups.filter(({ keep }) => !keep).map(({ name }) => name);
      const { removed: later } = await core.retention.run();
      expect(later.length).toBeGreaterThan(2 * gone.length - 10);
      const listing = await core.repository.list();
      expect(listing.foreign).toEqual([]);
      for (const { name } of listing.backups) {
        for (const { key, length } of (await core.repository.manifests.of(name)).packs)
          expect(listing.objects.get(key)?.size).toBe(length);
      }
    },
    TIMEOUT_MS,
  );
});

describe(`a folder with ${COUNT} backups`, () => {
  it('is explained, object by object', async () => {
    site = await Site.open('folder');
    let files = 0;
    for (const { key, body } of manyBackups(COUNT, site.clock.now())) {
      const path = join(site.path, 'repository', 'backups', key);
      if (files++ === 0 || key.includes('/')) mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, body);
    }
    core = site.core('first', RULES);
    const { objects, backups } = await core.retention.run({ dryRun: true });
    expect(objects).toHaveLength(files);
    expect(backups).toHaveLength(COUNT);
    expect(objects?.filter(({ reason }) => reason === 'unknown' || reason === 'by-hand')).toEqual([]);
  });
});
