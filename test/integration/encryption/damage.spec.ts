import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Frame, Manifest } from '../../../src/repository/manifest.js';
import type { TestCore } from '../../support/core.js';
import { FIRST_KEY, keys } from '../../support/encryption.js';
import { backUp, Site } from '../../support/site.js';

let site: Site;
let core: TestCore;
let older: Manifest;
let newest: Manifest;

/** A frame with its block, where the newest backup has it. */
type PlacedFrame = Frame & { readonly block: number };

async function begin(env: Record<string, string>): Promise<void> {
  site = await Site.open('folder');
  core = await site.populated('first', 130_000, { ...keys(FIRST_KEY), ...env });
  older = await backUp(core);
  // What cannot be compressed is stored in frames of one length.
  await core.write('CREATE TABLE noise AS SELECT hash(range) AS n FROM range(200000)');
  newest = await core.database.transaction(async (session) => {
    await session.run('UPDATE guests SET id = id WHERE id = 3');
    return backUp(core, { full: true, checkpointTimeoutMs: -1 });
  });
}
afterEach(async () => site.remove());

async function framesOf(manifest: Manifest): Promise<PlacedFrame[]> {
  const frames: PlacedFrame[] = [];
  for await (const extent of core.repository.extents.of(manifest)) {
    for (const frame of extent.frames) frames.push({ ...frame, block: frames.length });
  }
  return frames;
}

/** Puts other bytes in the place of an object, as a stranger with access to the store does. */
async function replace(key: string, change: (bytes: Buffer) => Buffer): Promise<void> {
  const bytes = await core.store.read(key);
  await core.store.delete(key);
  await core.store.put(key, change(Buffer.from(bytes)));
}

const bytesOf = (pack: Buffer, { offset, length }: Frame): Buffer =>
  Buffer.from(pack.subarray(offset, offset + length));

async function expectDamage(blocks: readonly number[], why: RegExp): Promise<void> {
  const key = newest.packs[0]?.key;
  const report = await core.verify.verify(newest.name);
  expect(report).toMatchObject({ ok: false });
  expect(report.damages.map(({ block }) => block)).toEqual(blocks);
  for (const damage of report.damages) expect(damage).toMatchObject({ key, why: expect.stringMatching(why) });
  // On a machine that has none of its blocks.
  const other = site.core('elsewhere', keys(FIRST_KEY));
  const found = await other.restores.find({ backup: newest.name });
  await expect(other.offline.restore(found)).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
  expect(await core.proofs.prove(newest)).toMatchObject({ ok: false });
}

describe('an encrypted pack', () => {
  it.each([
    ['compressed', 'true'],
    ['uncompressed', 'false'],
  ])('%s, in which two frames of one length were exchanged, is damaged in both', async (_, compress) => {
    await begin({ R2_COMPRESS_UPLOADS: compress });
    const frames = await framesOf(newest);
    const pair = frames
      .flatMap((a) => frames.filter((b) => a.block < b.block && a.length === b.length).map((b) => [a, b] as const))
      .at(0);
    expect(pair).toBeDefined();
    const [a, b] = pair!;
    await replace(a.pack, (pack) => {
      const [first, second] = [bytesOf(pack, a), bytesOf(pack, b)];
      second.copy(pack, a.offset);
      first.copy(pack, b.offset);
      return pack;
    });
    await expectDamage([a.block, b.block], /^cannot be decrypted/);
  });

  it('with a frame of the same block of another backup is damaged there', async () => {
    await begin({ R2_COMPRESS_UPLOADS: 'false' });
    const block = (await framesOf(newest))[0]!;
    const other = (await framesOf(older))[0]!;
    expect(block.length).toBe(other.length);
    const stranger = bytesOf(await core.store.read(other.pack), other);
    await replace(block.pack, (pack) => {
      stranger.copy(pack, block.offset);
      return pack;
    });
    await expectDamage([0], /^cannot be decrypted/);
  });

  it('with a flipped bit is damaged in that block', async () => {
    await begin({});
    const block = (await framesOf(newest))[1]!;
    await replace(block.pack, (pack) => {
      pack[block.offset + 20] = (pack[block.offset + 20] ?? 0) ^ 1;
      return pack;
    });
    await expectDamage([1], /^cannot be decrypted/);
  });
});

describe('of an encrypted backup', () => {
  beforeEach(async () => begin({}));

  it('a log that was cut, or has bytes of another, is damaged', async () => {
    const key = newest.wal?.key ?? '';
    const whole = await core.store.read(key);
    for (const change of [(log: Buffer) => log.subarray(0, -1), (log: Buffer) => Buffer.concat([log, log])]) {
      await core.store.delete(key);
      await core.store.put(key, change(whole));
      expect(await core.verify.verify(newest.name)).toMatchObject({
        damages: [{ key, why: expect.stringMatching(/^cannot be decrypted/) }],
      });
    }
  });

  it('a block table that was exchanged for another is refused', async () => {
    const [here, there] = [newest.extents[0]?.key ?? '', older.extents[0]?.key ?? ''];
    const other = await core.store.read(there);
    await replace(here, () => other);
    await expect(core.verify.verify(newest.name)).rejects.toMatchObject({
      code: 'EXTENT_CORRUPT',
      message: expect.stringContaining('cannot be decrypted'),
    });
  });

  it('a hash in a manifest that was copied is refused when the restored file is compared', async () => {
    // As it is, under another name.
    await core.repository.manifests.commit({ ...newest, name: `${newest.name}9` });
    const bent = await core.repository.manifests.of(`${newest.name}9`);
    expect(await core.proofs.prove(bent)).toMatchObject({
      ok: false,
      why: expect.stringContaining('A hash in the manifest'),
    });
  });
});
