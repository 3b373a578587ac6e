import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { backupPageSchema } from '../../../src/backup/backup.schemas.js';
import { BackupService } from '../../../src/backup/backup.service.js';
import { RetentionService } from '../../../src/backup/retention.service.js';
import { Repository } from '../../../src/repository/repository.js';
import { KEYS } from '../../support/admin-keys.js';
import { TestService } from '../../support/service.js';

describe('GET /admin/backups', () => {
  let listing: TestService;
  const names: string[] = [];
  /** The time in a name, as a query gives it: the manifest may be made in the next second. */
  const timeIn = (name: string | undefined) =>
    (name ?? '').replace(/.*-(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)$/, '$1-$2-$3T$4:$5:$6Z');
  /** Older than the others, one of each other kind. */
  const DAMAGED = 'hesocial-backup-20260102-000000';
  const FOREIGN = 'hesocial-20260101-000000.duckdb.zst';

  beforeAll(async () => {
    listing = await TestService.start();
    for (const trigger of ['manual', 'interval', 'manual'] as const) {
      listing.clock.advance(3_600_000);
      const { manifest } = await listing.get(BackupService).create({ trigger });
      names.unshift(manifest.name);
    }
    await writeFile(join(listing.repository, `${DAMAGED}.json`), '{"format": 1, "name"');
    await writeFile(join(listing.repository, FOREIGN), 'anything');
  });
  afterAll(() => listing.close());

  const page = async (query: string) => {
    const answer = await listing.send(`/admin/backups${query}`, { key: KEYS.viewer });
    expect(answer.status).toBe(200);
    return backupPageSchema.parse(answer.body);
  };
  const namesOf = async (query: string) => (await page(query)).backups.map(({ name }) => name);

  test('has everything, newest first: its own, damaged and foreign ones', async () => {
    const { backups, next } = await page('');
    expect(next).toBeNull();
    expect(backups.map(({ name }) => name)).toEqual([...names, DAMAGED, FOREIGN]);
    expect(backups.map(({ source }) => source)).toEqual(['eider', 'eider', 'eider', 'damaged', 'foreign']);
    expect(backups[3]).toMatchObject({ code: 'MANIFEST_CORRUPT', createdAt: '2026-01-02T00:00:00.000Z' });
    expect(backups[4]).toMatchObject({ encoding: 'zstd', bytes: { stored: 8 } });
  });

  test('comes in pages', async () => {
    const found: string[] = [];
    let cursor = '';
    for (let pages = 0; pages < 10; pages++) {
      const { backups, next } = await page(`?limit=2${cursor}`);
      expect(backups.length).toBeLessThanOrEqual(2);
      found.push(...backups.map(({ name }) => name));
      if (next === null) break;
      cursor = `&cursor=${encodeURIComponent(next)}`;
    }
    expect(found).toEqual([...names, DAMAGED, FOREIGN]);
  });

  test('can be asked for one trigger, in pages too', async () => {
    expect(await namesOf('?trigger=interval')).toEqual([names[1]]);
    expect(await page('?trigger=manual&limit=1')).toMatchObject({ backups: [{ name: names[0] }], next: names[0] });
    expect(await namesOf(`?trigger=manual&limit=1&cursor=${names[0]}`)).toEqual([names[2]]);
  });

  test('can be asked for a time, both ends included', async () => {
    expect(await namesOf(`?since=${timeIn(names[1])}`)).toEqual([names[0], names[1]]);
    expect(await namesOf(`?since=${timeIn(names[1])}&until=${timeIn(names[1])}`)).toEqual([names[1]]);
    expect(await namesOf('?until=2026-01-01')).toEqual([FOREIGN]);
    expect(await namesOf('?since=2026-01-02T01%3A00%3A00%2B01%3A00&until=2026-01-02')).toEqual([DAMAGED]);
  });

  test.each([
    ['limit=0', 'limit'],
    ['limit=501', 'limit'],
    ['limit=many', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['trigger=hourly', 'trigger'],
    ['since=yesterday', 'since'],
    ['since=5', 'since'],
    ['since=2026-01-01T00:00:00', 'since'],
    ['until=2026-02-30', 'until'],
    ['before=2026-01-01', ''],
  ])('refuses ?%s and names the field', async (query, path) => {
    const answer = await listing.send(`/admin/backups?${query}`, { key: KEYS.viewer });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ code: 'REQUEST_INVALID', errors: [{ path }] });
  });

  test('refuses a cursor that names no backup', async () => {
    const answer = await listing.send('/admin/backups?cursor=nothing', { key: KEYS.viewer });
    expect(answer.body).toMatchObject({
      status: 400,
      code: 'REQUEST_INVALID',
      detail: expect.stringContaining('nothing'),
    });
  });

  test('a damaged backup is shown as damaged on its own, too', async () => {
    const answer = await listing.send(`/admin/backups/${DAMAGED}`, { key: KEYS.viewer });
    expect(answer.body).toMatchObject({ status: 500, code: 'MANIFEST_CORRUPT' });
  });
});

describe('a damaged backup', () => {
  const NAME = 'hesocial-backup-20250101-000000';
  let damaged: TestService;
  beforeEach(async () => {
    damaged = await TestService.start();
  });
  afterEach(() => damaged.close());

  const damage = async () => {
    await damaged.get(Repository).claim();
    await writeFile(join(damaged.repository, `${NAME}.json`), 'cut');
    await writeFile(join(damaged.repository, `${NAME}.duckdb.zst`), 'cut');
  };
  const remove = () => damaged.send(`/admin/backups/${NAME}`, { key: KEYS.admin, method: 'DELETE' });
  const left = async () => (await readdir(damaged.repository)).filter((file) => file.startsWith(NAME)).length;

  test('is deleted where there is another', async () => {
    await damaged.get(BackupService).create({ trigger: 'manual' });
    await damage();
    expect((await remove()).status).toBe(204);
    // What it needs is not known: the pack stays for a day, marked as no backup.
    expect(await left()).toBe(1);
    const { foreign } = await damaged.get(Repository).list();
    expect(foreign).toEqual([]);
    damaged.clock.advance(25 * 3_600_000);
    await damaged.get(RetentionService).run();
    expect(await left()).toBe(0);
  });

  test('is kept as the only one, since its pack may be whole', async () => {
    await damage();
    expect((await remove()).body).toMatchObject({ code: 'BACKUP_IN_USE', detail: expect.stringContaining('only') });
    expect(await left()).toBe(2);
  });

  test('is kept while it is pinned', async () => {
    await damaged.get(BackupService).create({ trigger: 'manual' });
    await damage();
    await damaged.get(Repository).notes.put(NAME, { label: null, pinned: true, verified: null });
    expect((await remove()).body).toMatchObject({ code: 'BACKUP_IN_USE', detail: expect.stringContaining('pinned') });
    expect(await left()).toBe(2);
  });
});
