import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Manifest, objectsOf } from '../../../src/repository/manifest.js';
import type { TestCore } from '../../support/core.js';
import { backUp, BUCKET, Site } from '../../support/site.js';

const DAY = 86_400_000;
const AT = '2026-01-01T00:00:00.000Z';

let site: Site;
let core: TestCore;
let newest: Manifest;

beforeEach(async () => {
  site = await Site.open(BUCKET, { dated: true });
  core = await site.populated('first', 1_000, { R2_BACKUP_RETENTION_DAYS: '30' });
  newest = await backUp(core);
});
afterEach(async () => site.remove());

/** What another machine is told of a backup. */
const toldOf = async (name: string): Promise<unknown> => {
  site.server.advance(2_000);
  const view = await site.core('elsewhere').catalog.show(name);
  return view.source === 'eider' ? view.verified : undefined;
};
const listed = async (name: string): Promise<unknown> => {
  const { backups } = await site.core('elsewhere').catalog.page();
  const view = backups.find((backup) => backup.name === name);
  return view?.source === 'eider' ? view.verified : undefined;
};

describe('what a check showed', () => {
  it('is told everywhere: of a proof, a full check, and a quick one that failed', async () => {
    expect(await toldOf(newest.name)).toBeNull();
    expect(await core.verification.verify(newest.name, 'quick')).toMatchObject({ ok: true });
    expect(await toldOf(newest.name)).toBeNull();
    await core.verification.verify(newest.name, 'full');
    expect(await toldOf(newest.name)).toEqual({ at: AT, mode: 'full', ok: true, why: null });
    await core.proofs.prove(newest);
    expect(await listed(newest.name)).toEqual({ at: AT, mode: 'restore', ok: true, why: null });
    await core.store.delete(newest.packs[0]!.key);
    site.server.advance(2_000);
    await core.verification.verify(newest.name, 'quick');
    const why = `${newest.packs[0]!.key} is missing`;
    expect(await listed(newest.name)).toEqual({ at: AT, mode: 'quick', ok: false, why });
  });

  it('by a restore is not overruled by hashes that are right', async () => {
    await core.proofs.prove(newest);
    site.server.advance(2_000);
    await core.verification.verify(newest.name, 'full');
    expect(await toldOf(newest.name)).toMatchObject({ mode: 'restore', ok: true });
    await site.damage(newest);
    await core.verification.verify(newest.name, 'full');
    expect(await toldOf(newest.name)).toMatchObject({ mode: 'full', ok: false });
  });

  it('stays when label and pin are set, as these do when it is checked', async () => {
    await core.catalog.annotate(newest.name, { label: 'before the gala', pinned: true });
    site.server.advance(2_000);
    await core.proofs.prove(newest);
    site.server.advance(2_000);
    expect(await core.catalog.annotate(newest.name, { label: null })).toMatchObject({
      label: null,
      pinned: true,
      verified: { mode: 'restore', ok: true },
    });
    // At the same moment, one after the other.
    site.server.advance(2_000);
    const reading = site.server.faults.hold({ operation: 'GetObject', key: /\/notes\// }, 'answer');
    const annotating = core.catalog.annotate(newest.name, { pinned: false });
    await reading.reached;
    const verified = { at: '2026-01-02T00:00:00.000Z', mode: 'restore', ok: true, why: null } as const;
    const changing = core.repository.notes.change(newest, (note) => ({ ...note, verified }));
    // It has had its time by now, had it not waited.
    for (let request = 0; request < 10; request++) await core.repository.list();
    reading.open();
    await Promise.all([annotating, changing]);
    expect(await core.catalog.show(newest.name)).toMatchObject({ pinned: false, verified });
  });

  it('of a damaged block table is told, too', async () => {
    await core.store.delete(newest.extents[0]!.key);
    await expect(core.verification.verify(newest.name, 'full')).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
    expect(await toldOf(newest.name)).toMatchObject({
      mode: 'full',
      ok: false,
      why: expect.stringContaining('missing'),
    });
    expect(core.backups.mustBeFull).toBe(true);
  });

  it('is not written down of a backup that was removed meanwhile', async () => {
    const gate = site.server.faults.hold({ operation: 'GetObject', key: /\.duckdb\.zst$/ });
    const proving = core.proofs.prove(newest);
    await gate.reached;
    await core.repository.retire(newest.name, objectsOf(newest));
    gate.open();
    expect(await proving).toMatchObject({ ok: true });
    expect((await site.keys()).filter((key) => key.includes('notes/'))).toEqual([]);
  });

  it('is not told of a backup where it could not be checked', async () => {
    site.server.faults.failAlways(403, { operation: 'GetObject', key: /\.duckdb\.zst$/ });
    for (const mode of ['full', 'restore'] as const) {
      await expect(core.verification.verify(newest.name, mode)).rejects.toMatchObject({ code: 'STORE_DENIED' });
    }
    expect(await toldOf(newest.name)).toBeNull();
  });

  it('is told to whoever asked, and no further, where the credentials may only read', async () => {
    site.server.faults.failAlways(403, { method: 'PUT' });
    site.server.faults.failAlways(403, { method: 'DELETE' });
    expect(await core.verification.verify(newest.name, 'full')).toMatchObject({ ok: true });
    expect(await core.verification.verify(newest.name, 'restore')).toMatchObject({ ok: true });
    expect((await site.keys()).filter((key) => /notes|holds/.test(key))).toEqual([]);
  });
});

describe('after a check that failed', () => {
  it('the next backup is a full one although nothing changed, and whoever made the check', async () => {
    await site.damage(newest);
    expect(await site.core('elsewhere').verification.verify(newest.name, 'full')).toMatchObject({ ok: false });
    // This process has heard nothing of it.
    expect(core.backups.mustBeFull).toBe(false);
    expect(await backUp(core, { onlyIfChanged: true })).toMatchObject({ kind: 'full' });
    expect(core.backups.mustBeFull).toBe(false);
  });

  it('a start knows of it, also on a new disk, where the store answers', async () => {
    await site.damage(newest);
    await core.proofs.prove(newest);
    const fresh = site.core('fresh');
    site.server.faults.failAlways(403, { key: /\/notes\// });
    await fresh.proofs.recall(newest);
    expect(fresh.backups.mustBeFull).toBe(false);
    site.server.faults.clear();
    await fresh.proofs.recall(newest);
    expect(fresh.backups.mustBeFull).toBe(true);
  });

  it('the backup counts as none of the good ones, and the last proven one stays', async () => {
    await core.proofs.prove(newest);
    site.clock.advance(40 * DAY);
    await core.write('INSERT INTO guests VALUES (-1)');
    const between = await backUp(core, { full: true });
    site.clock.advance(40 * DAY);
    await core.write('INSERT INTO guests VALUES (-2)');
    const last = await backUp(core, { full: true });
    await site.damage(last);
    await core.proofs.prove(last);
    const { backups } = await core.retention.run({ dryRun: true });
    expect(backups).toEqual([
      { name: last.name, keep: true, reason: 'newest' },
      { name: between.name, keep: true, reason: 'newest' },
      { name: newest.name, keep: true, reason: 'proven' },
    ]);
    await expect(core.retention.remove(newest.name)).rejects.toMatchObject({
      code: 'BACKUP_IN_USE',
      message: expect.stringContaining('proven'),
    });
    site.server.advance(2_000);
    await core.proofs.prove(between);
    await core.retention.remove(newest.name);
  });
});

describe('notes', () => {
  it('are read again only where they changed', async () => {
    for (let index = 0; index < 5; index++) {
      await core.write(`INSERT INTO guests VALUES (${index})`);
      await core.catalog.annotate((await backUp(core)).name, { label: `number ${index}` });
    }
    const gets = (): number =>
      site.server.log.filter(({ method, key }) => method === 'GET' && key.includes('/notes/')).length;
    await core.catalog.page();
    let before = gets();
    await core.catalog.page();
    await core.retention.run();
    expect(gets()).toBe(before);
    // By another process, with as many bytes.
    const other = site.core('elsewhere');
    const name = (await other.repository.list()).backups[0]!.name;
    site.server.advance(2_000);
    await other.catalog.annotate(name, { label: 'number 9' });
    before = gets();
    expect((await core.catalog.page()).backups[0]).toMatchObject({ name, label: 'number 9' });
    expect(gets()).toBe(before + 1);
  });
});
