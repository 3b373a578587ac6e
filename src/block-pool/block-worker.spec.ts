import { expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { BLOCK_SIZE } from '../duckdb-format/layout.js';
import { compiledFile } from '../runtime/compiled-file.js';
import { codecOf } from './codec.js';

const TASKS = 50;
const BLOCKS_PER_TASK = 16;
const MIB = 1024 * 1024;

/** Each task is there when the one before it ends, as on a machine where the thread is slow to look. */
const WORKER = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData.module).then(async ({ default: run }) => {
    const before = process.memoryUsage().rss;
    let most = 0;
    for (let n = 0; n < workerData.tasks; n++) {
      const { damaged } = await run(workerData.task);
      if (damaged.length > 0) throw new Error(damaged[0].why);
      most = Math.max(most, process.memoryUsage().rss - before);
    }
    parentPort.postMessage(most);
  });`;

it('blocks of the tasks before are given back, also where the next task waits already', async () => {
  const block = Buffer.alloc(BLOCK_SIZE);
  const stored = Buffer.from(codecOf('zstd').encode(block));
  const sha256 = createHash('sha256').update(block).digest('hex');
  const frame = { block: 0, start: 0, length: stored.length, sha256, target: { offset: 0, length: BLOCK_SIZE } };
  const frames = Array.from({ length: BLOCKS_PER_TASK }, () => frame);
  const task = { kind: 'decode', descriptor: undefined, compression: 'zstd', stored, frames };
  const module = pathToFileURL(compiledFile(import.meta.url, './block-worker.js')).href;
  const worker = new Worker(WORKER, { eval: true, workerData: { module, task, tasks: TASKS } });
  const [most]: unknown[] = await once(worker, 'message');
  await worker.terminate();
  // Twice this much went through it.
  expect(Number(most) / MIB).toBeLessThan(100);
});
