import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '../../src/repository/manifest.js';
import type { RestoreReport } from '../../src/restore/restore-report.js';
import { openBucket } from '../integration/object-store/bucket.js';
import { packBytes, PACKS } from '../support/block-count.js';
import { TestCore } from '../support/core.js';
import { bucketOf, CLI, environmentIn, runCli, TestProcess } from '../support/processes.js';
import { Gate } from '../support/s3/faults.js';
import type { S3Double } from '../support/s3/s3-double.js';
import { backUp } from '../support/site.js';
import { Stage } from '../support/stage.js';

let stage: Stage;
let double: S3Double;
let manifest: Manifest;
let original: Buffer;
let folder: string;
let env: Record<string, string>;

beforeAll(async () => {
  stage = await Stage.set();
  double = await stage.double();
  const core = new TestCore(join(stage.path, 'first'), openBucket(double), { R2_COMPRESS_UPLOADS: 'false' });
  await core.open();
  await core.write('CREATE TABLE letters AS SELECT range AS id, md5(range::VARCHAR) AS text FROM range(2000000)');
  manifest = await backUp(core);
  await core.close();
  original = await readFile(core.database.path);
});
afterAll(() => stage.clear());

beforeEach(async () => {
  folder = join(stage.path, 'second');
  await mkdir(folder);
  // One read after the other, so that what was fetched before a kill is known.
  env = { ...environmentIn(folder, bucketOf(double)), R2_MAX_CONCURRENCY: '1' };
});
afterEach(async () => {
  double.faults.clear();
  await rm(folder, { recursive: true });
});

const start = (...options: string[]): TestProcess =>
  stage.run(new TestProcess([process.execPath, ...options, CLI, 'restore', '--at-start'], env, { cwd: folder }));

/** Bytes that the working copy takes on the disk: it has holes where nothing was written. */
async function written(): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder))
    if (name.includes('.restor')) bytes += (await stat(join(folder, name))).blocks * 512;
  return bytes;
}

/** Kills a restore at its n-th read of a pack, when everything that was fetched before, by it or others, is written. */
async function killAtRead(nth: number, since: number): Promise<void> {
  const gate = new Gate();
  double.faults.add({ kind: 'hold', gate, when: 'before' }, { operation: 'GetObject', key: PACKS }, { nth });
  const restoring = start();
  await gate.reached;
  while ((await written()) < packBytes(double, since)) await new Promise((resolve) => setImmediate(resolve));
  restoring.signal('SIGKILL');
  expect(await restoring.exited).toBe('SIGKILL');
  double.faults.clear();
}

/** Starts once more, and looks at what is there then. */
async function goOn(): Promise<RestoreReport> {
  const { status, stdout } = await runCli(['restore', '--at-start', '--json'], env);
  expect(status).toBe(0);
  expect((await readFile(join(folder, 'hesocial.duckdb'))).equals(original)).toBe(true);
  expect((await readdir(folder)).filter((name) => name.includes('.restor'))).toEqual([]);
  return (JSON.parse(stdout) as { restored: RestoreReport }).restored;
}

describe('a restore that is killed goes on where it was', () => {
  const whole = (): number => manifest.packs[0]?.length ?? 0;

  it('at any read, also several times: nothing is fetched twice', async () => {
    const since = double.log.length;
    await killAtRead(1, since);
    expect(packBytes(double, since)).toBe(0);
    await killAtRead(2, since);
    const first = packBytes(double, since);
    expect(first).toBeGreaterThan(0);
    await killAtRead(3, since);
    expect(packBytes(double, since)).toBeGreaterThan(first);
    const { localBlocks } = await goOn();
    expect(localBlocks).toBeGreaterThan(50);
    // Frames that are stored as they are: each byte of the file was sent once.
    expect(packBytes(double, since)).toBe(whole());
  });

  it('after it was fetched and checked: next to nothing is fetched again', async () => {
    const restoring = start('--import', join(import.meta.dirname, '..', 'support', 'kill-at-first-rename.mjs'));
    expect(await restoring.exited).toBe('SIGKILL');
    const since = double.log.length;
    const { blocks, localBlocks } = await goOn();
    expect(blocks).toBe(manifest.database.blocks + 1);
    expect(localBlocks).toBeGreaterThanOrEqual(manifest.database.blocks - 3);
    expect(packBytes(double, since)).toBeLessThan(1_000_000);
  });
});
