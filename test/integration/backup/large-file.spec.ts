import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { BaseBackup } from '../../../src/backup/base-backup.js';
import { type PackContents, packStream } from '../../../src/backup/pack-stream.js';
import { BlockPool } from '../../../src/block-pool/block-pool.js';
import { BLOCK_SIZE, HEADERS_SIZE } from '../../../src/duckdb-format/layout.js';
import { FilesystemObjectStore } from '../../../src/object-store/filesystem/filesystem-object-store.js';
import { BLOCKS_PER_EXTENT } from '../../../src/repository/extent.js';
import type { ExtentReference } from '../../../src/repository/manifest.js';
import { backupNameOf } from '../../../src/repository/keys.js';
import { Repository } from '../../../src/repository/repository.js';
import { temporaryFolder } from '../../support/core.js';
import { aManifest } from '../../support/manifests.js';

/** More blocks than one extent holds; the file has holes and takes no room. */
const BLOCKS = BLOCKS_PER_EXTENT + 40;

let folder: { path: string; remove: () => Promise<void> };
let file: FileHandle;
let repository: Repository;
const pool = new BlockPool();

beforeEach(async () => {
  folder = await temporaryFolder();
  file = await open(join(folder.path, 'large'), 'w+');
  await file.truncate(HEADERS_SIZE + BLOCKS * BLOCK_SIZE);
  const store = new FilesystemObjectStore({ folder: join(folder.path, 'repository'), prefix: 'backups/' });
  repository = new Repository(store, { environment: 'test', stem: 'hesocial-backup' });
});

afterEach(async () => {
  await file.close();
  await pool.close();
  await folder.remove();
});

async function pack(key: string, base?: BaseBackup, blocks = BLOCKS) {
  const contents: PackContents = { length: 0, used: 0, header: undefined, packs: new Set() };
  const extents: ExtentReference[] = [];
  const onExtent = async (extent: ExtentReference & { body: Buffer }, ofBase: boolean): Promise<void> => {
    const { body: _, ...reference } = extent;
    extents.push(reference);
    await repository.extents.put(extent, ofBase);
  };
  const source = { descriptor: file.fd, size: HEADERS_SIZE + blocks * BLOCK_SIZE };
  let bytes = 0;
  const stream = packStream(
    pool,
    source,
    { key, name: backupNameOf(key), compression: 'zstd', base, onExtent, signal: undefined },
    contents,
    () => {},
  );
  for await (const chunk of stream) bytes += chunk.length;
  expect(bytes).toBe(contents.length);
  return { contents, extents };
}

describe('a file of more than one extent', () => {
  it('gives a pack of the changed blocks, and shares the tables of the others', async () => {
    const full = await pack('full.duckdb.zst');
    expect(full.extents.map(({ first, count }) => [first, count])).toEqual([
      [0, BLOCKS_PER_EXTENT],
      [BLOCKS_PER_EXTENT, 40],
    ]);
    const header = full.contents.header!;
    const manifest = aManifest('hesocial-backup-20260101-000000', {
      extents: full.extents,
      packs: [{ key: 'full.duckdb.zst', length: full.contents.length }],
      database: { ...aManifest('x').database, blocks: BLOCKS, header },
    });
    const base = new BaseBackup(manifest, repository);
    expect([...(await base.packUse()).values()]).toEqual([full.contents.length]);
    expect(full.contents.used).toBe(full.contents.length);

    // The last block of the one extent stays, the first of the next is changed.
    await file.write(Buffer.from('changed'), 0, 7, HEADERS_SIZE + BLOCKS_PER_EXTENT * BLOCK_SIZE);
    const next = await pack('next.blocks.zst', base);
    expect(next.extents[0]).toEqual(full.extents[0]);
    expect(next.extents[1]?.sha256).not.toBe(full.extents[1]?.sha256);
    expect(next.contents.packs).toEqual(new Set(['full.duckdb.zst', 'next.blocks.zst']));
    expect(next.contents.length).toBeLessThan(1_000);
    expect(next.contents.header).toEqual(header);
    const changed = await repository.extents.cached({ ...manifest, extents: next.extents }, 1);
    // Its own, although its last block is the base's.
    expect(changed?.by).toBe('next');
    expect(changed?.frames.map(({ pack: where }) => where)).toEqual([
      'next.blocks.zst',
      ...Array<string>(39).fill('full.duckdb.zst'),
    ]);

    // What counts as not there is stored again, the headers too.
    const left = await pack('left.blocks.zst', base.without(new Set(['full.duckdb.zst'])));
    expect(left.contents.packs).toEqual(new Set(['left.blocks.zst']));
    expect(left.contents.header?.pack).toBe('left.blocks.zst');

    // A file that became shorter has the blocks that it has.
    const shorter = await pack('shorter.blocks.zst', base, BLOCKS_PER_EXTENT - 1);
    expect(shorter.extents.map(({ count }) => count)).toEqual([BLOCKS_PER_EXTENT - 1]);
    expect(shorter.contents.length).toBe(0);
    // It equals the beginning of the base's: a table of its own all the same, which goes when this backup goes.
    const [table] = shorter.extents;
    expect(await repository.extents.cached({ ...manifest, extents: shorter.extents }, 0)).toMatchObject({
      by: 'shorter',
    });
    expect((await pack('again.blocks.zst', base, BLOCKS_PER_EXTENT - 1)).extents[0]?.key).not.toBe(table?.key);
  });
});
