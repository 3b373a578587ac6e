import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '../../../src/repository/manifest.js';
import type { RestoreReport } from '../../../src/restore/restore-report.js';
import { blocksOf, packBytes, sharedBlocks } from '../../support/block-count.js';
import type { TestCore } from '../../support/core.js';
import { backUp, BUCKET, contentOf, Site } from '../../support/site.js';
import { lockIsListed, secondProcessGetsIn } from '../database/open-database.js';

/** A file that is not opened after it was fetched is the backup byte for byte. */
const QUICK = { R2_VALIDATE_DOWNLOADS: 'false' };

let site: Site;
let older: Manifest;
let newer: Manifest;
/** The files of the two backups, restored where there is nothing else. */
let olderFile: Buffer;
let newerFile: Buffer;

beforeAll(async () => {
  site = await Site.open(BUCKET);
  const core = await site.populated('first', 3, QUICK);
  await core.write('CREATE TABLE letters AS SELECT range AS id, md5(range::VARCHAR) AS text FROM range(300000)');
  older = await backUp(core);
  await core.write("UPDATE letters SET text = 'changed' WHERE id BETWEEN 70000 AND 75000", 'DELETE FROM guests');
  await core.write('INSERT INTO letters SELECT range, md5(range::VARCHAR) FROM range(300000, 340000)');
  newer = await backUp(core);
  await core.close();
  const nowhere = site.core('nowhere', QUICK);
  olderFile = await restoredFile(nowhere, older);
  newerFile = await restoredFile(nowhere, newer);
  expect(blocksOf(newerFile).length).toBeGreaterThan(25);
});
afterAll(() => site.remove());

let files = 0;
let lastReport: RestoreReport;

async function restoredFile(core: TestCore, manifest: Manifest): Promise<Buffer> {
  const file = join(site.path, `restored-${++files}.duckdb`);
  lastReport = await core.offline.toFile({ kind: 'eider', manifest }, file);
  return readFile(file);
}

/** A machine of its own with something at the place of its database. */
async function machineWith(prepare: (path: string) => Promise<unknown>): Promise<TestCore> {
  const core = site.core(`machine-${++files}`, QUICK);
  await mkdir(core.folder);
  await prepare(core.database.path);
  return core;
}

/** Restores a backup where a local file is, and looks at what was planned, told and sent. */
async function expectDelta(local: Buffer, manifest: Manifest, expected: Buffer): Promise<void> {
  const core = await machineWith((path) => writeFile(path, local));
  const shared = sharedBlocks(expected, local);
  const plan = await core.restores.plan({ kind: 'eider', manifest });
  const since = site.server.log.length;
  const file = await restoredFile(core, manifest);
  expect(file.equals(expected)).toBe(true);
  expect(lastReport).toMatchObject({ localBlocks: shared, blocks: blocksOf(expected).length });
  expect(plan).toMatchObject({ localBlocks: shared, blocks: blocksOf(expected).length });
  expect(plan.bytesToFetch).toBe(lastReport.fetchedBytes);
  // Tables of blocks come on top: some kilobytes.
  const sent = packBytes(site.server, since);
  expect(sent).toBeLessThanOrEqual(lastReport.fetchedBytes);
  expect(lastReport.fetchedBytes - sent).toBeLessThan(10_000);
  expect((await readFile(core.database.path)).equals(local)).toBe(true);
}

const flipped = (file: Buffer, ...blocks: number[]): Buffer => {
  const copy = Buffer.from(file);
  for (const block of blocks) {
    const at = (blocksOf(copy)[block]?.byteOffset ?? 0) - copy.byteOffset + 4_000;
    copy[at] = (copy[at] ?? 0) ^ 1;
  }
  return copy;
};

describe('a restore where a local file is fetches only what that does not hold', () => {
  it('an older one', async () => {
    expect(sharedBlocks(newerFile, olderFile)).toBeGreaterThan(15);
    await expectDelta(olderFile, newer, newerFile);
  });

  it('a newer one', () => expectDelta(newerFile, older, olderFile));

  it('the same one: no pack is read', async () => {
    const since = site.server.log.length;
    await expectDelta(newerFile, newer, newerFile);
    expect(packBytes(site.server, since)).toBe(0);
  });

  it('with flipped bits in its headers and in some blocks', async () => {
    const last = blocksOf(newerFile).length - 1;
    const local = flipped(newerFile, 0, 1, 8, last);
    expect(sharedBlocks(newerFile, local)).toBe(last + 1 - 4);
    await expectDelta(local, newer, newerFile);
  });

  it('cut in the middle of a block', () => expectDelta(newerFile.subarray(0, 2_000_001), newer, newerFile));

  it('longer than the backup', () =>
    expectDelta(Buffer.concat([newerFile, Buffer.alloc(700_000, 7)]), newer, newerFile));

  it('empty, or of something else', async () => {
    await expectDelta(Buffer.alloc(0), newer, newerFile);
    await expectDelta(Buffer.alloc(newerFile.length, 'not a database'), newer, newerFile);
  });
});

const places: Record<string, (path: string) => Promise<unknown>> = {
  'a folder': (path) => mkdir(path),
  'a link to itself': (path) => symlink(path, path),
  'a pipe that nobody writes to': async (path) => {
    const { execFileSync } = await import('node:child_process');
    execFileSync('mkfifo', [path]);
  },
};
if (process.getuid?.() !== 0) {
  places['a file without permission to read (not tried as root)'] = async (path) => {
    await writeFile(path, newerFile);
    await chmod(path, 0);
  };
}

describe('what cannot be read at the place of the database is no source, and no obstacle to a restore into a file', () => {
  it.each(Object.keys(places))('%s', async (name) => {
    const core = await machineWith(async (path) => places[name]?.(path));
    expect((await core.restores.plan({ kind: 'eider', manifest: newer })).localBlocks).toBe(0);
    expect((await restoredFile(core, newer)).equals(newerFile)).toBe(true);
    expect(lastReport.localBlocks).toBe(0);
  });
});

describe('a database in use', () => {
  it('is a source while writes go on, and its lock stays', async () => {
    const core = await machineWith((path) => writeFile(path, newerFile));
    await core.open();
    let writing = true;
    const writes = (async () => {
      for (let row = 0; writing; row++) await core.write(`INSERT INTO guests VALUES (${row})`);
    })();
    const found = { kind: 'eider', manifest: newer } as const;
    const plan = await core.restores.plan(found);
    expect(plan.localBlocks).toBe(blocksOf(newerFile).length);
    const { path } = await core.restores.prepare(found);
    expect((await readFile(path)).equals(newerFile)).toBe(true);
    writing = false;
    await writes;
    expect(lockIsListed(core.database.path)).toBe(true);
    expect(await secondProcessGetsIn(core.database.path)).toBe(false);
    const since = site.server.log.length;
    const report = await core.online.restore({ kind: 'eider', manifest: older }, { force: true });
    expect(report.localBlocks).toBeGreaterThanOrEqual(sharedBlocks(olderFile, newerFile) - 1);
    expect(packBytes(site.server, since)).toBeLessThan(older.bytes.stored / 2);
    expect(await core.number('SELECT count(*) FROM letters')).toBe(300_000);
    expect(await core.number('SELECT count(*) FROM guests')).toBe(3);
    expect(lockIsListed(core.database.path)).toBe(true);
    expect(await secondProcessGetsIn(core.database.path)).toBe(false);
    await core.close();
  });

  it('is used for a download, and not for a proof, which reads every byte from the store', async () => {
    const core = await machineWith((path) => writeFile(path, newerFile));
    await core.open();
    const since = site.server.log.length;
    const copy = await core.restores.prepare({ kind: 'eider', manifest: newer }, { purpose: 'download' });
    expect(packBytes(site.server, since)).toBe(0);
    await core.restores.discard(copy);
    await core.restores.tryOut(newer);
    expect(packBytes(site.server, since)).toBeGreaterThan(newer.bytes.stored * 0.9);
    expect((await readdir(core.folder)).filter((name) => /restor/.test(name))).toEqual([]);
    await core.close();
  });

  it('that was closed for a moment is not opened beside DuckDB: the backup comes from the store', async () => {
    const core = await machineWith((path) => writeFile(path, newerFile));
    await core.open();
    await core.database.close();
    const copy = await core.restores.prepare({ kind: 'eider', manifest: newer }, { purpose: 'download' });
    expect(copy.fetched.localBlocks).toBe(0);
    await core.restores.discard(copy);
  });
});

describe('a restore in the place of the database', () => {
  it('leaves the same content, whatever was there', async () => {
    for (const local of [olderFile, flipped(newerFile, 3, 4), newerFile.subarray(0, 5_000)]) {
      const core = await machineWith((path) => writeFile(path, local));
      await core.start.replaceLocal({ kind: 'eider', manifest: newer });
      expect((await readFile(core.database.path)).equals(newerFile)).toBe(true);
      await core.open();
      expect(await contentOf(core)).toHaveLength(2);
      await core.close();
    }
  });
});
