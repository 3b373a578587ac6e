import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readdir } from 'node:fs/promises';
import type { Manifest } from '../../../src/repository/manifest.js';
import type { TestCore } from '../../support/core.js';
import { backUp, BUCKET, Site } from '../../support/site.js';

const HOUR_MS = 3_600_000;

let site: Site;
let core: TestCore;
let newest: Manifest;

beforeEach(async () => {
  site = await Site.open(BUCKET);
  core = await site.populated('first', 1_000);
  newest = await backUp(core);
});
afterEach(async () => site.remove());

const leftovers = async (): Promise<string[]> =>
  (await readdir(core.folder)).filter((file) => file.includes('restoring'));

describe('a proof', () => {
  it('restores a backup beside the database, leaves nothing of it, and is remembered', async () => {
    const proof = await core.proofs.prove(newest);
    expect(proof).toMatchObject({ backup: newest.name, ok: true, why: null, at: '2026-01-01T00:00:00.000Z' });
    expect(await leftovers()).toEqual([]);
    const later = site.core('first');
    expect(later.proofs.last).toBeUndefined();
    await later.proofs.recall();
    expect(later.proofs.last).toEqual(proof);
  });

  it('of a damaged backup tells what is wrong, and a full one is due although nothing changed', async () => {
    await site.damage(newest);
    const proof = await core.proofs.prove(newest);
    expect(proof).toMatchObject({ ok: false, why: expect.stringContaining(`${newest.name} is damaged`) });
    expect(await leftovers()).toEqual([]);
    expect(core.backups.mustBeFull).toBe(true);
    const next = await backUp(core, { onlyIfChanged: true });
    expect(next.kind).toBe('full');
    expect(core.backups.mustBeFull).toBe(false);
    expect(await core.proofs.prove(next)).toMatchObject({ ok: true });
    expect(await core.backups.create({ trigger: 'interval', onlyIfChanged: true })).toMatchObject({ created: false });
    await core.write('INSERT INTO guests VALUES (-1)');
    expect(await backUp(core)).toMatchObject({ kind: 'incremental' });
  });

  it('that failed is remembered by the next start', async () => {
    await site.damage(newest);
    await core.proofs.prove(newest);
    await core.close();
    core = site.core('first');
    await core.proofs.recall();
    await core.boot();
    expect(core.backups.mustBeFull).toBe(true);
    expect(await backUp(core, { onlyIfChanged: true })).toMatchObject({ kind: 'full' });
  });

  it('opens the file, counts rows and finds what no hash tells, whatever R2_VALIDATE_DOWNLOADS says', async () => {
    const bent = {
      ...newest,
      name: 'hesocial-backup-20260101-000009',
      tables: [{ schema: 'main', name: 'guests', rows: 999, exact: true, hash: null }],
    };
    await core.repository.manifests.commit(bent);
    const quick = site.core('quick', { R2_VALIDATE_DOWNLOADS: 'false' });
    expect(await quick.proofs.prove(bent)).toMatchObject({
      ok: false,
      why: expect.stringContaining('1000 rows in place of 999'),
    });
  });

  it('compares the contents of every table with what DuckDB read when the backup was taken', async () => {
    const [table] = newest.tables;
    expect(table?.hash).toMatch(/^\d+$/);
    const bent: Manifest = {
      ...newest,
      name: 'hesocial-backup-20260101-000009',
      tables: newest.tables.map((each) => ({ ...each, hash: `${each.hash}1` })),
    };
    await core.repository.manifests.commit(bent);
    expect(await core.proofs.prove(bent)).toMatchObject({
      ok: false,
      why: expect.stringContaining('main.guests has other contents than when it was backed up'),
    });
    const older: Manifest = {
      ...bent,
      name: 'hesocial-backup-20260101-000010',
      database: { ...bent.database, duckdbVersion: 'v1.5.0' },
    };
    await core.repository.manifests.commit(older);
    // Another version may hash otherwise.
    expect(await core.proofs.prove(older)).toMatchObject({ ok: true });
  });

  it('of a backup that somebody waited for counts rows only', async () => {
    await core.write('INSERT INTO guests VALUES (-1)');
    const hurried = await backUp(core, { trigger: 'shutdown' });
    expect(hurried.tables).toMatchObject([{ rows: 1_001, exact: true, hash: null }]);
    expect(await core.proofs.prove(hurried)).toMatchObject({ ok: true });
  });

  it('tells nothing of the backup where the store does not answer, or it is given up', async () => {
    site.server.faults.failAlways(403, { operation: 'GetObject', key: /\.duckdb\.zst$/ });
    await expect(core.proofs.prove(newest)).rejects.toMatchObject({ code: 'STORE_DENIED' });
    site.server.faults.clear();
    const gate = site.server.faults.hold({ operation: 'GetObject', key: /\.duckdb\.zst$/ });
    const abort = new AbortController();
    const proving = core.proofs.prove(newest, undefined, abort.signal);
    await gate.reached;
    abort.abort(new Error('enough'));
    await expect(proving).rejects.toThrow();
    gate.open();
    expect(core.proofs.last).toBeUndefined();
    expect(core.backups.mustBeFull).toBe(false);
    expect(await leftovers()).toEqual([]);
  });

  it('that fails after a newer backup was taken still makes a full one due: they share packs', async () => {
    await core.write('INSERT INTO guests VALUES (-1)');
    const shared = await backUp(core);
    expect(shared.kind).toBe('incremental');
    await site.damage(newest);
    expect(await core.proofs.prove(newest)).toMatchObject({ ok: false });
    expect(core.proofs).toMatchObject({ last: { ok: false }, isOvertaken: true });
    expect(await backUp(core, { onlyIfChanged: true })).toMatchObject({ kind: 'full' });
  });

  it('of a backup that is removed meanwhile is no verdict', async () => {
    await core.write('INSERT INTO guests VALUES (-1)');
    await backUp(core, { full: true });
    const gate = site.server.faults.hold({ operation: 'GetObject', key: /\.duckdb\.zst$/ });
    const proving = core.proofs.prove(newest);
    await gate.reached;
    // Somebody does it by hand: Eider would refuse, and leave the objects for a day.
    await core.repository.retire(newest.name, []);
    await core.store.delete(newest.packs[0]!.key);
    gate.open();
    await expect(proving).rejects.toMatchObject({ code: 'BACKUP_NOT_FOUND' });
    expect(core.backups.mustBeFull).toBe(false);
    expect(await core.repository.notes.of(newest.name)).toBeUndefined();
  });

  it('of an older backup is not taken for one of the newest', async () => {
    await core.write('INSERT INTO guests VALUES (-1)');
    await backUp(core);
    expect(await core.proofs.prove(newest)).toMatchObject({ ok: true });
    expect(core.proofs.last).toBeUndefined();
  });
});

describe('the schedule of proofs', () => {
  const look = () => core.proofScheduler.look();

  it('proves the newest backup, then again after VERIFY_INTERVAL_HOURS, also after a restart', async () => {
    expect(await look()).toBe(true);
    expect(core.proofs.last).toMatchObject({ backup: newest.name, ok: true });
    site.clock.advance(23 * HOUR_MS);
    expect(await look()).toBe(false);
    const again = site.core('first');
    await again.proofs.recall();
    expect(await again.proofScheduler.look()).toBe(false);
    site.clock.advance(HOUR_MS);
    expect(await again.proofScheduler.look()).toBe(true);
    expect(again.proofs.last?.at).toBe('2026-01-02T00:00:00.000Z');
  });

  it('proves the backup that is taken after one that failed', async () => {
    await site.damage(newest);
    await look();
    expect(core.proofs.last).toMatchObject({ backup: newest.name, ok: false });
    expect(await look()).toBe(false);
    const next = await backUp(core, { onlyIfChanged: true });
    expect(await look()).toBe(true);
    expect(core.proofs.last).toMatchObject({ backup: next.name, ok: true });
    expect(await look()).toBe(false);
  });

  it('tries again after an hour where a proof could not be made', async () => {
    site.server.faults.failAlways(403, { operation: 'GetObject', key: /\.duckdb\.zst$/ });
    expect(await look()).toBe(true);
    expect(core.proofScheduler.error).toContain('403');
    site.server.faults.clear();
    site.clock.advance(HOUR_MS - 1);
    expect(await look()).toBe(false);
    site.clock.advance(1);
    expect(await look()).toBe(true);
    expect(core.proofScheduler.error).toBeNull();
  });

  it('waits for a start to settle, runs once, and gives a proof under way up when it is stopped', async () => {
    core.proofScheduler.start();
    core.proofScheduler.start();
    await core.proofScheduler.stop();
    expect(await look()).toBe(false);
    site.clock.advance(10 * 60_000);
    const gate = site.server.faults.hold({ operation: 'GetObject', key: /\.duckdb\.zst$/ });
    const abort = new AbortController();
    const looking = core.proofScheduler.look(abort.signal);
    await gate.reached;
    abort.abort(new Error('the service is shutting down'));
    expect(await looking).toBe(true);
    gate.open();
    expect(core.proofScheduler.error).toBeNull();
    expect(await leftovers()).toEqual([]);
  });

  it('does nothing where there is no backup', async () => {
    const empty = site.core('empty', {}, { store: site.store('nothing/') });
    expect(await empty.proofScheduler.look()).toBe(false);
  });
});

describe('a quick check', () => {
  it('finds an object that is missing or has another length, and reads none', async () => {
    await core.write('INSERT INTO guests VALUES (-1)');
    const added = await backUp(core);
    const gets = site.server.count('GetObject');
    expect(await core.verification.verify(added.name, 'quick')).toEqual({
      backup: added.name,
      mode: 'quick',
      ok: true,
      bytes: 0,
      damages: [],
    });
    expect(site.server.count('GetObject')).toBe(gets);
    const [first, second] = added.packs;
    await core.store.delete(first!.key);
    site.server.advance(2_000);
    await core.store.put(second!.key, Buffer.from('cut'));
    expect(await core.verification.verify(added.name, 'quick')).toMatchObject({
      ok: false,
      damages: [
        { key: first!.key, why: 'is missing' },
        { key: second!.key, why: `has 3 bytes in place of ${second!.length}` },
      ],
    });
    expect(core.backups.mustBeFull).toBe(true);
  });
});
