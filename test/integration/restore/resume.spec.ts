import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdir, open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EiderError } from '../../../src/errors/eider-error.js';
import type { Manifest } from '../../../src/repository/manifest.js';
import { findPartial, partialOf } from '../../../src/restore/leftovers.js';
import { ownIdentity } from '../../../src/runtime/process-identity.js';
import { blocksOf, packBytes, PACKS } from '../../support/block-count.js';
import type { TestCore } from '../../support/core.js';
import { backUp, BUCKET, Site } from '../../support/site.js';
import { openBucket } from '../object-store/bucket.js';

const QUICK = { R2_VALIDATE_DOWNLOADS: 'false', R2_COMPRESS_UPLOADS: 'false' };

let site: Site;
let manifest: Manifest;
let original: Buffer;
let machines = 0;

beforeAll(async () => {
  site = await Site.open(BUCKET);
  const first = await site.populated('first', 3, QUICK);
  await first.write('CREATE TABLE letters AS SELECT range AS id, md5(range::VARCHAR) AS text FROM range(1600000)');
  manifest = await backUp(first);
  await first.close();
  const { path } = (await machine()).database;
  original = await readFile(first.database.path);
  expect(path).not.toBe(first.database.path);
});
afterAll(() => site.remove());
afterEach(() => site.server.faults.clear());

/** A machine without a database that reads one segment at a time and asks the store once. */
async function machine(): Promise<TestCore> {
  const store = openBucket(site.server, { maxAttempts: 1, maxConcurrency: 1 });
  const core = site.core(`machine-${++machines}`, QUICK, { store });
  await mkdir(core.folder);
  return core;
}

const left = async (core: TestCore): Promise<string[]> =>
  (await readdir(core.folder)).filter((name) => name.includes('.restor')).toSorted();

/** Restores until the store fails at its n-th read of a pack. */
async function interrupt(core: TestCore, nth = 3): Promise<void> {
  site.server.faults.add(
    { kind: 'status', status: 503 },
    { operation: 'GetObject', key: PACKS },
    { nth, times: Infinity },
  );
  await expect(core.start.run()).rejects.toMatchObject({ code: 'STORE_THROTTLED' });
  site.server.faults.clear();
}

describe('a restore that the store ended half-way', () => {
  let core: TestCore;
  beforeEach(async () => {
    core = await machine();
  });

  it('is gone on with by the next one: nothing that was fetched is fetched again', async () => {
    const since = site.server.log.length;
    await interrupt(core);
    const fetched = packBytes(site.server, since);
    expect(fetched).toBeGreaterThan(5_000_000);
    expect(await left(core)).toEqual(['hesocial.duckdb.restore-partial']);
    const plan = await core.restores.plan({ kind: 'eider', manifest });
    const outcome = await core.start.run();
    expect((await readFile(core.database.path)).equals(original)).toBe(true);
    expect(await left(core)).toEqual([]);
    const whole = manifest.packs[0]?.length ?? 0;
    expect(packBytes(site.server, since)).toBeGreaterThanOrEqual(whole);
    expect(packBytes(site.server, since)).toBeLessThan(whole * 1.05);
    const { localBlocks, fetchedBytes } = outcome.restored ?? {};
    expect(plan).toMatchObject({ localBlocks, bytesToFetch: fetchedBytes });
    expect(localBlocks).toBeGreaterThan(10);
  });

  it('is gone on with by a restore of another backup, too', async () => {
    await interrupt(core);
    // The same content by another name.
    const other: Manifest = { ...manifest, name: 'hesocial-manual-20300101-000000' };
    await core.repository.manifests.commit(other);
    const report = await core.start.replaceLocal({ kind: 'eider', manifest: other });
    expect(report.localBlocks).toBeGreaterThan(10);
    expect((await readFile(core.database.path)).equals(original)).toBe(true);
    expect(await left(core)).toEqual([]);
  });

  it('needs only the room that is still missing', async () => {
    const before = await core.restores.plan({ kind: 'eider', manifest });
    await interrupt(core);
    const { occupied = 0 } = (await findPartial(core.database.path)) ?? {};
    expect(occupied).toBeGreaterThan(5_000_000);
    const after = await core.restores.plan({ kind: 'eider', manifest });
    expect(before.bytesNeeded - after.bytesNeeded).toBe(Math.min(occupied, original.length));
  });

  it('may have left rubbish, which costs nothing but being read', async () => {
    await interrupt(core);
    const file = await open(partialOf(core.database.path), 'r+');
    await file.truncate(0);
    await file.write(Buffer.alloc(original.length + 500_000, 'rubbish'));
    await file.close();
    // Block 5 alone is right.
    const [, , , , , fifth = Buffer.alloc(0)] = blocksOf(original);
    const again = await open(partialOf(core.database.path), 'r+');
    await again.write(fifth, 0, fifth.length, fifth.byteOffset - original.byteOffset);
    await again.close();
    const { restored } = await core.start.run();
    expect(restored?.localBlocks).toBe(1);
    expect((await readFile(core.database.path)).equals(original)).toBe(true);
    expect(await left(core)).toEqual([]);
  });

  it('is forgotten by a start that restores nothing', async () => {
    await interrupt(core);
    await writeFile(core.database.path, original);
    expect((await core.start.run()).decision.action).toBe('keep');
    expect(await left(core)).toEqual([]);
  });

  it('is kept by a start that is refused', async () => {
    await interrupt(core);
    site.server.faults.failAlways(503);
    await expect(core.start.run()).rejects.toMatchObject({ code: 'START_REFUSED_STORE_UNREACHABLE' });
    site.server.faults.clear();
    expect(await left(core)).toEqual(['hesocial.duckdb.restore-partial']);
  });

  it('is not what a proof reads, or a download, and both leave it alone', async () => {
    await interrupt(core);
    const before = (await stat(partialOf(core.database.path))).ino;
    const since = site.server.log.length;
    const found = { kind: 'eider', manifest } as const;
    await core.restores.tryOut(manifest);
    await core.restores.discard(await core.restores.prepare(found, { purpose: 'download' }));
    expect(packBytes(site.server, since)).toBeGreaterThanOrEqual(2 * (manifest.packs[0]?.length ?? 0));
    expect((await stat(partialOf(core.database.path))).ino).toBe(before);
    expect(await left(core)).toEqual(['hesocial.duckdb.restore-partial']);
  });
});

describe('what a restore leaves behind', () => {
  const failing = async (core: TestCore, error: Error): Promise<void> => {
    const read = core.store.read.bind(core.store);
    let reads = 0;
    jest.spyOn(core.store, 'read').mockImplementation(async (key, options) => {
      if (PACKS.test(key) && ++reads > 2) throw error;
      return read(key, options);
    });
    await expect(core.start.run()).rejects.toBe(error);
    jest.restoreAllMocks();
  };

  it.each(['STORE_UNAVAILABLE', 'STORE_DENIED', 'STORE_ABORTED', 'SHUTTING_DOWN'] as const)(
    'after %s is the part that it has',
    async (code) => {
      const core = await machine();
      await failing(core, new EiderError(code, 'test'));
      expect(await left(core)).toEqual(['hesocial.duckdb.restore-partial']);
    },
  );

  it('after any other error is nothing', async () => {
    const core = await machine();
    await failing(core, new Error('a defect'));
    expect(await left(core)).toEqual([]);
  });

  it('after damage is nothing', async () => {
    const core = await machine();
    site.server.faults.flipBit(99, { key: PACKS }, Infinity);
    await expect(core.start.run()).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
    expect(await left(core)).toEqual([]);
  });

  it('before the first byte is nothing', async () => {
    const core = await machine();
    site.server.faults.failAlways(503, { key: /extents/ });
    await expect(core.start.run()).rejects.toMatchObject({ code: 'STORE_THROTTLED' });
    expect(await left(core)).toEqual([]);
  });
});

describe('working copies of other processes', () => {
  /** A process that has ended, and that nobody has waited for where `zombie`. */
  const ended = (): number => spawnSync(process.execPath, ['-e', '']).pid;
  const named = (core: TestCore, pid: number, began: number): string =>
    `${core.database.path}.restoring-${pid}-${began}-0123abcd`;

  it.each(['gone', 'another one with its number'] as const)('are taken over where the process is %s', async (how) => {
    const core = await machine();
    const { pid, began } = how === 'gone' ? { pid: ended(), began: 1 } : { pid: process.ppid, began: 1 };
    await writeFile(named(core, pid, began), original.subarray(0, 3_000_000));
    await writeFile(`${named(core, pid, began)}.wal`, 'the log of another backup');
    const { restored } = await core.start.run();
    expect(restored?.localBlocks).toBe(blocksOf(original.subarray(0, 3_000_000)).length - 1);
    expect((await readFile(core.database.path)).equals(original)).toBe(true);
    expect(await left(core)).toEqual([]);
  });

  it('are left alone where it runs: its restore goes on', async () => {
    const core = await machine();
    const other = site.core('other', QUICK, { store: openBucket(site.server, { maxConcurrency: 1 }) });
    await mkdir(other.folder, { recursive: true });
    const target = join(core.folder, 'elsewhere.duckdb');
    const gate = site.server.faults.hold({ operation: 'GetObject', key: PACKS });
    const found = { kind: 'eider', manifest } as const;
    const first = other.offline.toFile(found, target);
    await gate.reached;
    const during = await readdir(core.folder);
    expect(during.filter((name) => name.startsWith('elsewhere.duckdb.restoring-'))).toHaveLength(1);
    const second = await core.restores.prepare(found, { target });
    expect(second.fetched.localBlocks).toBe(0);
    await core.restores.discard(second);
    gate.open();
    await first;
    expect((await readFile(target)).equals(original)).toBe(true);
  });

  it('are left alone where a process of another kind has them open', async () => {
    const core = await machine();
    const { began } = ownIdentity();
    const path = named(core, ended(), began);
    await writeFile(path, original);
    const open = site.core('checker', { DUCKDB_PATH: path });
    await open.open();
    expect(await findPartial(core.database.path)).toBeUndefined();
    await open.close();
    expect(await findPartial(core.database.path)).toMatchObject({ path });
  });

  it('of which several were left: the one that holds most is used, and none stays', async () => {
    const core = await machine();
    await writeFile(named(core, ended(), 1), original.subarray(0, 1_000_000));
    await writeFile(named(core, ended(), 2), original.subarray(0, 6_000_000));
    await writeFile(partialOf(core.database.path), original.subarray(0, 2_000_000));
    const { restored } = await core.start.run();
    expect(restored?.localBlocks).toBe(blocksOf(original.subarray(0, 6_000_000)).length - 1);
    expect(await left(core)).toEqual([]);
  });
});

describe('a restore into a file that was interrupted', () => {
  it('is gone on with by the next one into that file', async () => {
    const core = await machine();
    const target = join(core.folder, 'elsewhere.duckdb');
    const found = { kind: 'eider', manifest } as const;
    site.server.faults.add({ kind: 'status', status: 503 }, { key: PACKS }, { nth: 3, times: Infinity });
    await expect(core.offline.toFile(found, target)).rejects.toMatchObject({ code: 'STORE_THROTTLED' });
    site.server.faults.clear();
    expect(await left(core)).toEqual(['elsewhere.duckdb.restore-partial']);
    expect((await core.offline.toFile(found, target)).localBlocks).toBeGreaterThan(10);
    expect((await readFile(target)).equals(original)).toBe(true);
    expect(await left(core)).toEqual([]);
  });
});
