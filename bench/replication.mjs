#!/usr/bin/env node
// Measures continuous shipping: what it costs writers, what a durable commit takes beside a PUT, how far behind the store is,
// and how fast a point in time is restored. bench/README.md explains.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { eiderEnvironment } from './contenders.mjs';
import { describeMachine } from './machine.mjs';
import { run } from './measure.mjs';
import { countRequests } from './request-counter.mjs';
import { openStore } from './stores.mjs';
import { percentile } from './units.mjs';

const { values: options } = parseArgs({
  options: {
    size: { type: 'string', default: '100MB' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '15' },
    latency: { type: 'string', default: '50' },
    store: { type: 'string', default: 's3' },
    folder: { type: 'string', default: tmpdir() },
  },
});
const rounds = Number(options.rounds);
const latency = Number(options.latency);
const say = (text) => process.stderr.write(`${text}\n`);

const folder = await mkdtemp(join(options.folder, 'eider-bench-'));
let store;
let database;
let env;
let shipping;
try {
  database = join(folder, 'bench.duckdb');
  await run([process.execPath, join(import.meta.dirname, 'generate.mjs'), database, options.size, '1']);
  store = await openStore(options.store, folder, 2e9);
  process.stdout.write(`${describeMachine().join('; ')}; store: ${store.description}\n\n`);
  env = (prefix, more = {}) => ({ ...eiderEnvironment({ database, prefix, store }), ...more });
  shipping = async (task, amount, variables) => {
    const { output } = await run(
      [process.execPath, join(import.meta.dirname, 'shipping.mjs'), task, String(amount)],
      variables,
    );
    return JSON.parse(output.trim().split('\n').at(-1));
  };

  const [on, off] = [[], []];
  for (let round = 0; round < rounds; round++) {
    // Alternately the one and the other first.
    for (const ships of round % 2 === 0 ? [true, false] : [false, true]) {
      const interval = ships ? '3000' : '0';
      const result = await shipping('insert', options.seconds, env(`insert`, { R2_WAL_SYNC_INTERVAL_MS: interval }));
      (ships ? on : off).push(result);
      say(`shipping ${ships ? 'on' : 'off'}: ${result.perSecond.toFixed(0)} commits/s`);
    }
  }
  const rate = (results) =>
    percentile(
      results.map(({ perSecond }) => perSecond),
      0.5,
    );
  const lag = on.map((result) => result.lag);
  const idle = await shipping('idle', 20, env('idle'));
  const slow = await delayed(latency);
  const durable = await shipping('durable', 100, env('durable', slow.env));
  await shipping('records', 600, env('half-hour'));
  await shipping('records', 1800, env('long'));
  const restored = {};
  for (const prefix of ['half-hour', 'long']) {
    const target = join(folder, `${prefix}.duckdb`);
    const cli = [process.execPath, join(import.meta.dirname, '../dist/cli.js'), 'restore', '--to', target];
    restored[prefix] = await run(cli, env(prefix, slow.env));
    await rm(target);
  }
  await slow.stop();

  const row = (what, value, limit) => `| ${what} | ${value} | ${limit} |`;
  const ms = (value) => `${value.toFixed(0)} ms`;
  process.stdout.write(
    [
      '| what | measured | promised |',
      '| --- | --- | --- |',
      row(
        'insert throughput of four writers, shipping on against off',
        `${(rate(on) / rate(off)).toFixed(2)} (${rate(on).toFixed(0)} against ${rate(off).toFixed(0)} commits/s)`,
        '0.95',
      ),
      row(
        'how long the oldest commit waits under that load (RPO): p50, p99, most',
        lag.map(({ p50, p99, max }) => `${ms(p50)}, ${ms(p99)}, ${ms(max)}`).join('; '),
        'interval (3 s) and one upload',
      ),
      row(
        'processor time at idle, of one core',
        `${(idle.share * 100).toFixed(2)} %, ${idle.records} records`,
        '1 %, none',
      ),
      row(
        `durable commit beside a PUT, store latency ${latency} ms: p50, p90`,
        `${(durable.durable.p50 / durable.put.p50).toFixed(2)} (${ms(durable.durable.p50)}), ${(durable.durable.p90 / durable.put.p90).toFixed(2)}`,
        '1.5',
      ),
      row(
        `restore of ${options.size} and 600 records (30 minutes) at ${latency} ms`,
        `${restored['half-hour'].seconds.toFixed(1)} s`,
        '',
      ),
      row(
        `restore of ${options.size} and 1,800 records at ${latency} ms`,
        `${restored['long'].seconds.toFixed(1)} s`,
        '10 s for the records',
      ),
      '',
    ].join('\n'),
  );
} finally {
  await store?.stop();
  await rm(folder, { recursive: true, force: true });
}

/** The store with a latency before each request. */
async function delayed(ms) {
  if (store.s3 === undefined) return { env: {}, stop: () => Promise.resolve() };
  const proxy = await countRequests(store.s3.endpoint, { latencyMs: ms });
  return { env: { R2_ENDPOINT: proxy.endpoint }, stop: proxy.stop };
}
