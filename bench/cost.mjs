#!/usr/bin/env node
// Counts what records of the log, backups and retention cost at a store, and what that makes in a month. bench/README.md explains.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { eiderEnvironment } from './contenders.mjs';
import { describeMachine } from './machine.mjs';
import { table } from './markdown.mjs';
import { run } from './measure.mjs';
import { COMMITS_PER_BACKUP, monthlyCost } from './monthly-cost.mjs';
import { countRequests } from './request-counter.mjs';
import { openStore } from './stores.mjs';
import { fixed, median, parseSize } from './units.mjs';
import { WORKLOADS } from './workloads.mjs';

const { values: options } = parseArgs({
  options: {
    sizes: { type: 'string', default: '200MB,5GB' },
    workloads: { type: 'string', default: Object.keys(WORKLOADS).join() },
    backups: { type: 'string', default: '12' },
    folder: { type: 'string', default: tmpdir() },
  },
});
const say = (text) => process.stderr.write(`${text}\n`);
const sizes = options.sizes.split(',');
const workloads = options.workloads.split(',');
/** Records that shipping.mjs writes of each workload. */
const RECORDS = 10;

const folder = await mkdtemp(join(options.folder, 'eider-bench-'));
let store;
try {
  // One full backup and a few others, each with no more than the database in it.
  store = await openStore('s3', folder, Math.max(...sizes.map(parseSize)) * 4);
  const rows = [];
  for (const size of sizes) {
    rows.push(...(await costsOf(size)));
    say(rows.map((row) => `${row.size}, ${row.workload}: $${row.month.dollars.toFixed(2)}`).join('\n'));
  }
  process.stdout.write(`${report(rows)}\n`);
} finally {
  await store?.stop();
  await rm(folder, { recursive: true, force: true });
}

/** One row for each workload: one after the other on the same database, with the full backup before them all. */
async function costsOf(size) {
  const database = join(folder, 'bench.duckdb');
  say(`making a database of ${size}`);
  await run([process.execPath, join(import.meta.dirname, 'generate.mjs'), database, size, '1']);
  const prefix = 'cost';
  const counter = await countRequests(store.s3.endpoint);
  try {
    const env = { ...eiderEnvironment({ database, prefix, store }), R2_ENDPOINT: counter.endpoint };
    const [full, ...steps] = await countSteps(env, () => snapshot(counter.counts, prefix));
    const perWorkload = steps.length / workloads.length;
    return workloads.map((workload, index) => {
      const own = steps.slice(index * perWorkload, (index + 1) * perWorkload);
      return { size, workload, ...costOf(full, own) };
    });
  } finally {
    await counter.stop();
    await store.empty(prefix);
    for (const end of ['', '.wal', '.eider.json']) await rm(`${database}${end}`, { force: true });
  }
}

function costOf(full, [records, ...steps]) {
  const sync = perKind((kind) => records[kind] / RECORDS);
  const backups = steps.filter(({ mark }) => mark === 'backup');
  const backup = perKind((kind) => median(backups.map((one) => one[kind])));
  const needed = backups.map((one) => one.needed);
  return { full, sync, backup, needed: needed.at(-1), month: monthlyCost(sync, backup, full, needed) };
}

function perKind(value) {
  return Object.fromEntries(['a', 'b', 'bytes', 'objects'].map((kind) => [kind, value(kind)]));
}

/** What each step of the process added, which waits to be counted. */
async function countSteps(env, count) {
  const script = join(import.meta.dirname, 'shipping.mjs');
  const stdio = ['ignore', 'ignore', 'inherit', 'ipc'];
  const words = ['cost', options.backups, workloads.join(), String(COMMITS_PER_BACKUP)];
  const child = fork(script, words, { env: { ...process.env, ...env }, stdio });
  const steps = [];
  let before = { a: 0, b: 0, bytes: 0, objects: 0 };
  child.on('message', async (message) => {
    const { mark, needed } = /** @type {{ mark: string, needed?: number }} */ (message);
    const now = await count();
    say(`${mark}: ${now.bytes - before.bytes} bytes`);
    steps.push({
      mark,
      needed,
      ...Object.fromEntries(Object.entries(now).map(([kind, value]) => [kind, value - before[kind]])),
    });
    before = now;
    child.send('counted');
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`it ended with ${code}`);
  return steps;
}

async function snapshot({ PUT = 0, POST = 0, LIST = 0, GET = 0, HEAD = 0 }, prefix) {
  const objects = [...(await store.objects(prefix)).values()];
  const bytes = objects.reduce((sum, { size }) => sum + size, 0);
  return { a: PUT + POST + LIST, b: GET + HEAD, bytes, objects: objects.length };
}

function report(rows) {
  const requests = ({ a, b }) => `${fixed(a)} + ${fixed(b)}`;
  const megabytes = (bytes) => fixed(bytes / 1e6, bytes < 1e6 ? 4 : 1);
  const thousands = (count) => `${Math.round(count / 1000)},000`;
  return [
    `Taken ${new Date().toISOString()}. Machine: ${describeMachine().join('; ')}. Store: ${store.description}.`,
    '',
    'Requests are of class A + class B; MB are those added to the store.',
    '',
    table(
      [
        'database',
        'commits',
        'full backup: requests',
        'MB',
        'record of the log: requests',
        'MB',
        'incremental backup and retention: requests',
        'MB',
        'needed beside the full pack at last, MB',
        'backups to the next full one',
        'a month: class A',
        'class B',
        'GB stored at most',
        'dollars',
        'without the free tier',
      ],
      rows.map(({ size, workload, full, sync, backup, needed, month }) => [
        size,
        workload,
        requests(full),
        megabytes(full.bytes),
        requests(sync),
        megabytes(sync.bytes),
        requests(backup),
        megabytes(backup.bytes),
        megabytes(needed),
        String(month.cycle),
        thousands(month.a),
        thousands(month.b),
        fixed(month.gigabytes),
        fixed(month.dollars, 2),
        fixed(month.withoutFree, 2),
      ]),
    ),
  ].join('\n');
}
