import { afterEach, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { BlockPool } from '../../../src/block-pool/block-pool.js';
import { digestElsewhere } from '../../../src/object-store/s3/part-digest.js';
import { S3ObjectStore } from '../../../src/object-store/s3/s3-object-store.js';
import { S3Double } from '../../support/s3/s3-double.js';
import { configOf } from '../object-store/bucket.js';
import { bytes, chunked } from '../object-store/contract.js';

const onLinux = process.platform === 'linux' ? it : it.skip;
const pool = new BlockPool();
afterEach(() => pool.close());

onLinux('threads of the pool have the lowest priority, all others keep theirs', async () => {
  const before = new Set(threads());
  await pool.digest({ bytes: new SharedArrayBuffer(8), length: 8 });
  const added = threads().filter((thread) => !before.has(thread));
  expect(added.map(nicenessOf)).toContain(19);
  expect([...before].map(nicenessOf)).not.toContain(19);
});

it('the pool hashes as many bytes of shared memory as count', async () => {
  const memory = new SharedArrayBuffer(1024);
  Buffer.from(memory).fill('eider');
  const content = Buffer.from(memory).subarray(0, 1000);
  await expect(pool.digest({ bytes: memory, length: 1000 })).resolves.toEqual({
    md5: createHash('md5').update(content).digest('base64'),
    sha256: createHash('sha256').update(content).digest('hex'),
  });
});

it('large parts of an upload are hashed by the pool, and the store finds both hashes right', async () => {
  const s3 = await S3Double.start();
  const hashed: number[] = [];
  const digestPart = digestElsewhere((memory, length) => {
    hashed.push(length);
    return pool.digest({ bytes: memory, length });
  });
  const store = new S3ObjectStore(configOf(s3), undefined, digestPart);
  const part = 5 * 1024 * 1024;
  const body = bytes(2 * part + 1000);
  try {
    await store.upload('big', chunked(body, 1_000_000), { partSize: part });
    expect(s3.objects.get('backups/big')?.equals(body)).toBe(true);
    expect(hashed).toEqual([part, part]);
  } finally {
    await store.close();
    await s3.stop();
  }
});

/** Threads of this process, by the kernel's numbers. */
function threads(): string[] {
  return readdirSync('/proc/self/task');
}

/** Field 19 of `man proc_pid_stat`; undefined where the thread has ended. */
function nicenessOf(thread: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  } catch {
    return undefined;
  }
}
