import { afterEach, describe, expect, it } from '@jest/globals';
import { freeNativeGarbage } from '../../../src/block-pool/native-garbage.js';
import { FRAME_HEAD, parseWalHeader, WAL_HEADER_MOST } from '../../../src/duckdb-format/wal.js';
import { reading } from '../../../src/database/inspect.js';
import type { TestCore } from '../../support/core.js';
import { shippedCommits } from '../../support/shipped-commits.js';
import { type Adapter, contentOf, Site } from '../../support/site.js';

const MEBIBYTE = 1024 * 1024;
/** One value of 70 MB that compresses to half. */
const LARGE = "SELECT 2, string_agg(md5(range::VARCHAR), '')::BLOB FROM range(2200000)";

let site: Site;
let core: TestCore;

afterEach(async () => site.remove());

async function begin(adapter: Adapter): Promise<void> {
  site = await Site.open(adapter);
  core = site.core('first', { R2_WAL_SYNC_INTERVAL_MS: '3000' });
  await core.boot();
  await core.write('CREATE TABLE blobs (id INTEGER, content BLOB)');
  await core.replication.connect();
  await core.backups.create({ trigger: 'checkpoint' });
}

/** The size of the largest frame in the live log. */
function largestFrame(): number {
  const { descriptor, size } = core.database.files.wal() ?? { descriptor: -1, size: 0 };
  const read = reading(descriptor);
  let largest = 0;
  for (let at = parseWalHeader(read(0, WAL_HEADER_MOST))?.end ?? size; at < size;) {
    const length = Number(read(at, 8).readBigUInt64LE(0));
    largest = Math.max(largest, length);
    at += FRAME_HEAD + length;
  }
  return largest;
}

/** Most memory outside of the heap that is in use while something is done, beyond what it was before, bytes. */
async function memoryOf(work: () => Promise<unknown>): Promise<number> {
  const used = (): number => {
    freeNativeGarbage();
    return process.memoryUsage().external;
  };
  const before = used();
  let most = before;
  const timer = setInterval(() => (most = Math.max(most, used())), 2);
  await work();
  clearInterval(timer);
  return most - before;
}

describe('a commit with one value of 70 MB', () => {
  it('is shipped in parts and restored exactly, and so is what comes before and after it', async () => {
    await begin('bucket');
    await core.write("INSERT INTO blobs VALUES (1, 'before')");
    await core.write(`INSERT INTO blobs ${LARGE}`);
    await core.write("INSERT INTO blobs VALUES (3, 'after')");
    expect(largestFrame()).toBeGreaterThan(64 * MEBIBYTE);
    core.replication.look();
    await core.replication.ship();
    const parts = site.s3.log.filter(({ operation, key }) => operation === 'UploadPart' && /\/log\//.test(key));
    expect(parts.length).toBeGreaterThan(1);
    const content = await contentOf(core);

    // The disk is lost; what is restored is opened and read in a process of its own.
    const other = site.core('second');
    await other.boot();
    expect(await contentOf(other)).toEqual(content);
    expect(await other.number('SELECT octet_length(content) FROM blobs WHERE id = 2')).toBe(70_400_000);
    await other.close();

    const commits = await shippedCommits(core.repository);
    expect(commits).toHaveLength(3);
    const before = site.core('third', { R2_VALIDATE_DOWNLOADS: 'false' });
    const { position } = commits[0] ?? { position: core.lineage.at(await core.database.position()) };
    await before.start.replaceLocal(await before.restores.find({ position }));
    await before.open();
    expect(await before.number('SELECT sum(id)::INTEGER FROM blobs')).toBe(1);
  }, 300_000);

  it('is never in memory as a whole to be shipped', async () => {
    // What the double of a bucket keeps is memory of this process, too. As a whole it would take 100 MiB.
    await begin('folder');
    await core.write(`INSERT INTO blobs ${LARGE}`);
    core.replication.look();
    expect(await memoryOf(() => core.replication.ship())).toBeLessThan(80 * MEBIBYTE);
    expect(core.replication.shipped.current).toMatchObject(await core.database.position());
  });
});
