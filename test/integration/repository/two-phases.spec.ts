import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { encodeHold } from '../../../src/repository/hold.js';
import { type Manifest, objectsOf } from '../../../src/repository/manifest.js';
import { holdKey, pendingKey } from '../../../src/repository/keys.js';
import type { TestCore } from '../../support/core.js';
import { Gate } from '../../support/s3/faults.js';
import { type Adapter, ADAPTERS, backUp, BUCKET, contentOf, Site } from '../../support/site.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const RULES = { R2_BACKUP_RETENTION_DAYS: '30', R2_VALIDATE_DOWNLOADS: 'false' };

let site: Site;
let core: TestCore;
let other: TestCore;
let old: Manifest;
let content: string[];

/** An old backup that an incremental one was built on, and a newer full one: both of the former may go. */
async function begin(adapter: Adapter): Promise<void> {
  site = await Site.open(adapter, { dated: true });
  core = await site.populated('first', 3, RULES);
  await core.write('CREATE TABLE notes AS SELECT md5(range::VARCHAR) AS note FROM range(40000)');
  await backUp(core);
  await core.write('INSERT INTO guests VALUES (1)');
  old = await backUp(core);
  expect(old.packs).toHaveLength(2);
  content = await contentOf(core);
  site.clock.advance(40 * DAY);
  await core.write('INSERT INTO guests VALUES (2)');
  await backUp(core, { full: true });
  other = site.core('other', RULES);
}
afterEach(async () => site.remove());

const listed = async (): Promise<string[]> => (await other.repository.list()).backups.map(({ name }) => name);
const remaining = async (): Promise<string[]> => {
  const there: string[] = [];
  for (const key of objectsOf(old)) if ((await other.store.head(key)) !== undefined) there.push(key);
  return there;
};
/** Another host removes the old backup while a run is held up. */
const retireDuringRun = async (gate: Gate): Promise<void> => {
  const running = other.retention.run();
  await gate.reached;
  await site.core('third', RULES).repository.retire(old.name, objectsOf(old));
  gate.open();
  await running;
};
/** Every object that a dry run does not explain as staying, and why the others do. */
const explained = async (): Promise<Record<string, string>> => {
  const { objects = [] } = await other.retention.run({ dryRun: true });
  return Object.fromEntries(objects.map(({ key, action, reason }) => [key, `${action} ${reason}`]));
};
/** Restores the old backup on another machine; resolves with what it holds. */
const restore = async (reader: TestCore): Promise<string[]> => {
  await reader.offline.toFile({ kind: 'eider', manifest: old }, reader.database.path);
  await reader.open();
  return contentOf(reader);
};

describe.each(ADAPTERS)('the removal of backups in a %s', (adapter) => {
  beforeEach(async () => begin(adapter));

  it('takes what only they need a day later, and not a moment before', async () => {
    const { removed } = await other.retention.run();
    expect(removed).toHaveLength(2);
    expect(await listed()).toHaveLength(1);
    expect(await remaining()).toEqual(objectsOf(old));
    for (const [ms, left] of [
      [DAY, objectsOf(old).length],
      [1, 0],
    ] as const) {
      site.clock.advance(ms);
      await other.retention.run();
      expect(await remaining()).toHaveLength(left);
    }
    expect((await other.repository.list()).pending.size).toBe(0);
    expect((await other.repository.list()).foreign).toEqual([]);
  });

  it('is told beforehand, object by object, and done just so', async () => {
    await other.store.put('old-system-20200101-000000.duckdb.gz', Buffer.from('by hand'));
    await other.store.put('a/b.txt', Buffer.from('mine'));
    await other.catalog.annotate(old.name, { label: null, pinned: false });
    for (let run = 0; run < 3; run++) {
      const told = await explained();
      const keys: string[] = [];
      for await (const { key } of other.store.list('')) keys.push(key);
      expect(Object.keys(told).toSorted()).toEqual(keys.toSorted());
      const going = keys.filter((key) => told[key]?.startsWith('delete'));
      const { removed } = await other.retention.run();
      expect(removed.toSorted()).toEqual(going.toSorted());
      expect(removed.length > 0).toBe(run < 2);
      site.clock.advance(DAY + 1);
    }
    expect(await explained()).toMatchObject({
      'repository.json': 'keep repository',
      'old-system-20200101-000000.duckdb.gz': 'keep by-hand',
      'a/b.txt': 'keep unknown',
    });
  });

  it('does not touch what is held, here or elsewhere, until a day after the last sign of life', async () => {
    const hold = {
      backup: old.name,
      host: 'elsewhere',
      pid: 1,
      purpose: 'restore',
      since: '2026-01-01T00:00:00.000Z',
    } as const;
    const key = holdKey('5f6b0a52-3f51-4d0c-8d3e-0b1b3a1c9e01');
    await other.store.put(key, encodeHold(hold));
    site.clock.advance(DAY);
    expect((await other.retention.run()).backups).toContainEqual({ name: old.name, keep: true, reason: 'held' });
    await expect(other.retention.remove(old.name)).rejects.toMatchObject({
      code: 'BACKUP_IN_USE',
      message: expect.stringContaining('being read'),
    });
    expect(await explained()).toMatchObject({ [key]: 'keep hold' });
    site.clock.advance(1);
    expect(await explained()).toMatchObject({ [key]: 'delete expired' });
    const { removed } = await other.retention.run();
    expect(removed).toEqual(expect.arrayContaining([key, `${old.name}.json`]));
  });

  it('goes on where the marker of a pack was lost: it is marked again, and never listed as a file by hand', async () => {
    await core.catalog.annotate(old.name, { pinned: true });
    await other.retention.run();
    const base = old.packs[1]!.key.replace('.duckdb.zst', '');
    expect(await explained()).toMatchObject({ [pendingKey(base)]: 'keep grace' });
    await other.store.delete(pendingKey(base));
    await other.retention.run();
    expect((await other.repository.list()).foreign).toEqual([]);
    expect(await explained()).toMatchObject({ [pendingKey(base)]: 'keep grace', [old.packs[1]!.key]: 'keep needed' });
  });

  it('stops beside a damaged manifest, and names it and the way out', async () => {
    await site.core('harm').store.put(`${old.name}.json`, Buffer.from('{}'));
    const fresh = site.core('fresh', RULES);
    await expect(fresh.retention.run()).rejects.toMatchObject({
      code: 'MANIFEST_CORRUPT',
      message: expect.stringContaining(`DELETE /api/admin/backups/${old.name}`),
    });
    await fresh.retention.remove(old.name);
    // What it needed is not known: for a day everything stays.
    await fresh.retention.run();
    site.clock.advance(DAY);
    expect((await fresh.retention.run()).removed).toEqual([]);
    expect(await remaining()).toEqual(objectsOf(old));
    site.clock.advance(1);
    await fresh.retention.run();
    expect(await remaining()).toEqual([]);
  });
});

describe('a restore beside retention', () => {
  beforeEach(async () => begin(BUCKET));

  const reading = () => site.server.faults.hold({ operation: 'GetObject', key: /\.(duckdb|blocks)\.zst$/ });
  const holds = async (): Promise<string[]> => (await site.keys()).filter((key) => key.startsWith('holds/'));

  it('holds its backup, and lets go of it at the end', async () => {
    const gate = reading();
    const restoring = restore(site.core('reader', RULES));
    await gate.reached;
    expect(JSON.parse(String(await other.store.read((await holds())[0] ?? '')))).toMatchObject({
      backup: old.name,
      pid: process.pid,
      purpose: 'restore',
    });
    expect((await other.retention.run()).backups).toContainEqual({ name: old.name, keep: true, reason: 'held' });
    gate.open();
    expect(await restoring).toEqual(content);
    expect(await holds()).toEqual([]);
    await other.retention.run();
    expect(await listed()).toHaveLength(1);
  });

  it('lets go of it when it fails, and when it is given up', async () => {
    site.server.faults.failAlways(403, { operation: 'GetObject', key: /\.duckdb\.zst$/ });
    await expect(restore(site.core('reader', RULES))).rejects.toMatchObject({ code: 'STORE_DENIED' });
    expect(await holds()).toEqual([]);
    site.server.faults.clear();
    const gate = reading();
    const abort = new AbortController();
    const checking = core.verify.verify(old.name, undefined, abort.signal);
    await gate.reached;
    expect(await holds()).toHaveLength(1);
    abort.abort(new Error('enough'));
    await expect(checking).rejects.toThrow();
    gate.open();
    expect(await holds()).toEqual([]);
  });

  it('keeps what it reads although its backup is removed, however long it takes: the hold is renewed', async () => {
    const gate = reading();
    const restoring = restore(site.core('reader', RULES));
    await gate.reached;
    // By somebody who had looked for holds before this one was there.
    await other.repository.retire(old.name, objectsOf(old));
    const renewal = site.server.faults.hold({ operation: 'PutObject', key: /\/holds\// }, 'answer');
    site.clock.advance(DAY + 1);
    await renewal.reached;
    renewal.open();
    await other.retention.run();
    expect(await explained()).toMatchObject({ [old.packs[0]!.key]: 'keep held', [pendingKey(old.name)]: 'keep held' });
    gate.open();
    expect(await restoring).toEqual(content);
    expect(await holds()).toEqual([]);
    await other.retention.run();
    // What it shares with a backup that went later stays for that one.
    expect(await remaining()).toEqual([old.packs[1]!.key]);
  });

  it('ends well without a hold where the credentials may only read: what it needs stays for a day', async () => {
    site.server.faults.failAlways(403, { operation: 'PutObject', key: /\/(holds|notes)\// });
    site.server.faults.failAlways(403, { operation: 'DeleteObject', key: /\/(holds|notes)\// });
    const gate = reading();
    const restoring = restore(site.core('reader', RULES));
    await gate.reached;
    await other.retention.run();
    expect(await listed()).toHaveLength(1);
    site.clock.advance(DAY);
    await other.retention.run();
    gate.open();
    expect(await restoring).toEqual(content);
  });

  it('is refused where the backup was removed before it was held', async () => {
    const gate = site.server.faults.hold({ operation: 'PutObject', key: /\/holds\// });
    const restoring = restore(site.core('reader', RULES));
    await gate.reached;
    await other.repository.retire(old.name, objectsOf(old));
    gate.open();
    await expect(restoring).rejects.toMatchObject({ code: 'BACKUP_NOT_FOUND' });
    expect(await holds()).toEqual([]);
  });
});

describe('a backup that takes more than a day', () => {
  beforeEach(async () => begin(BUCKET));

  it('and is completed just before retention would remove what it stored stays whole', async () => {
    await core.write('INSERT INTO guests VALUES (3)');
    const commit = site.server.faults.hold({ operation: 'PutObject', key: /backups\/hesocial-[^/]*\.json$/ });
    const taking = backUp(core);
    await commit.reached;
    site.clock.advance(DAY + 1);
    const look = site.server.faults.hold({ operation: 'HeadObject', key: /backups\/hesocial-[^/]*\.json$/ });
    const running = other.retention.run();
    await look.reached;
    commit.open();
    const { name } = await taking;
    look.open();
    await running;
    expect(await core.verify.verify(name)).toMatchObject({ ok: true });
  });
});

describe('two processes that remove at the same time', () => {
  beforeEach(async () => begin(BUCKET));

  it.each([1, 2, 3, 4])(
    'lose nothing that one of them still keeps: listing %d of a run comes after a removal',
    async (nth) => {
      await core.catalog.annotate(old.name, { pinned: true });
      const gate = new Gate();
      site.server.faults.add({ kind: 'hold', gate, when: 'before' }, { operation: 'ListObjectsV2' }, { nth });
      await retireDuringRun(gate);
      expect(await remaining()).toEqual(objectsOf(old));
    },
  );

  it('read everything again where a backup goes while manifests are read', async () => {
    await retireDuringRun(site.server.faults.hold({ operation: 'GetObject', key: new RegExp(`/${old.name}.json$`) }));
    expect(await remaining()).toEqual(objectsOf(old));
  });

  it('mark a removed backup again whose writer ends its reservation late', async () => {
    const removal = site.server.faults.hold({ operation: 'DeleteObject', key: new RegExp(`/${old.name}.json$`) });
    const retiring = other.repository.retire(old.name, objectsOf(old));
    await removal.reached;
    await core.repository.reservations.release(old.name);
    site.server.advance(2_000);
    removal.open();
    await retiring;
    expect([...(await other.repository.list()).pending.keys()]).toEqual([old.name]);
  });
});
