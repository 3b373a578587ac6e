#!/usr/bin/env node
// Times full backups, full restores and incremental backups of Eider beside other tools, in one run, on one store.
// bench/README.md explains.
import { copyFile, mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { contenders, eiderEnvironment } from './contenders.mjs';
import { measureDelta } from './delta.mjs';
import { measureIncremental } from './incremental.mjs';
import { describeMachine } from './machine.mjs';
import { run } from './measure.mjs';
import { report } from './report.mjs';
import { openDistantStore, openStore } from './stores.mjs';

const { values: options } = parseArgs({
  options: {
    size: { type: 'string', default: '500MB' },
    runs: { type: 'string', default: '3' },
    peers: { type: 'string' },
    store: { type: 'string', default: 's3' },
    seed: { type: 'string', default: '1' },
    database: { type: 'string' },
    folder: { type: 'string', default: tmpdir() },
    only: { type: 'string', default: 'full,commits,incremental,delta' },
    json: { type: 'boolean', default: false },
  },
});

/**
 * The line to a store elsewhere: 1 Gbit/s, of which 1,448 of the 1,538 bytes of an Ethernet frame are TCP's, and the time that a
 * request to a store on the same continent takes.
 */
const LINE = { latencyMs: 50, bytesPerSecond: (1e9 / 8) * (1448 / 1538) };

const say = (text) => process.stderr.write(`${text}\n`);
const runs = Number(options.runs);
if (!Number.isInteger(runs) || runs < 1) throw new Error('--runs is a number from 1 on');
if (options.store !== 's3' && options.store !== 'folder') throw new Error('--store is s3 or folder');

/** Of what is measured only these parts. */
const parts = new Set(options.only.split(','));
for (const part of parts) {
  if (!['full', 'commits', 'incremental', 'delta'].includes(part)) throw new Error(`--only knows no ${part}`);
}

const folder = await mkdtemp(join(options.folder, 'eider-bench-'));
let store;
try {
  const database = join(folder, 'bench.duckdb');
  const bytes = await provideDatabase(database);
  store = await openStore(options.store, folder, bytes * 6);
  const machine = describeMachine();
  const loads = [loadavg()[0]];
  say(`${machine.join('; ')}\nstore: ${store.description}`);

  const all = contenders(options.peers?.split(',').filter(Boolean), store);
  const results = new Map(all.map(({ name }) => [name, { backup: [], restore: [], stored: [] }]));
  for (let round = 0; round < (parts.has('full') ? runs : 0); round++) {
    // Each round begins with another tool, so that none always has the warmest or the emptiest store.
    const order = all.map((_, index) => all[(index + round) % all.length]);
    for (const contender of order) {
      const result = await compete(contender, database, `${contender.name.replaceAll(/\W+/g, '-')}-${round}`);
      results.get(contender.name).backup.push(result.backup);
      results.get(contender.name).restore.push(result.restore);
      say(
        `round ${round + 1}: ${contender.name}: ${result.backup.seconds.toFixed(1)} s, ${result.restore.seconds.toFixed(1)} s`,
      );
    }
    loads.push(loadavg()[0]);
  }
  const service = parts.has('commits') ? await serve(database, all) : undefined;
  const { seed } = options;
  const measured = { database, contenders: all, store, folder, seed, runs, say };
  // The changes are made to tables of a database that was made here.
  const changes = (part) => parts.has(part) && options.database === undefined;
  const incremental = changes('incremental') ? await measureIncremental(measured) : undefined;
  const delta = changes('delta') ? await measureDelta(measured) : undefined;
  const outcome = {
    date: new Date().toISOString(),
    machine,
    store: store.description,
    bytes,
    runs,
    loads,
    contenders: all,
    results: parts.has('full') ? results : undefined,
    service,
    incremental,
    delta,
  };
  process.stdout.write(
    `${options.json ? JSON.stringify({ ...outcome, results: outcome.results && [...results] }, null, 2) : report(outcome)}\n`,
  );
} finally {
  await store?.stop();
  await rm(folder, { recursive: true, force: true });
}

async function provideDatabase(database) {
  if (options.database !== undefined) {
    await copyFile(options.database, database);
  } else {
    say(`making a database of ${options.size}`);
    // A process of its own, so that this one stays small.
    await run([process.execPath, join(import.meta.dirname, 'generate.mjs'), database, options.size, options.seed]);
  }
  return (await stat(database)).size;
}

/** One backup and one restore, checked byte for byte; the store is as before afterwards. */
async function compete(contender, database, prefix) {
  const place = { database, restored: join(folder, 'restored.duckdb'), folder, prefix, store };
  const env = contender.env(place);
  try {
    if (contender.prepare !== undefined) await run(contender.prepare(place), env);
    const backup = await run(contender.backup(place), env);
    const restore = await run(contender.restore(place), contender.restoreEnv?.(place) ?? env);
    await run(['cmp', database, place.restored]);
    return { backup, restore };
  } finally {
    await rm(place.restored, { force: true });
    // What Eider knows of a repository that is gone.
    await rm(`${database}.eider.json`, { force: true });
    await store.empty(prefix);
  }
}

/** Commits while a backup runs, and while the older way does: with the store on this machine, then with one that is elsewhere. */
async function serve(database, all) {
  const older = all.find(({ name }) => name.startsWith('gzip'));
  const here = await commit(database, store, (place) => older?.backup({ ...place, database }));
  const distant = await openDistantStore(LINE);
  try {
    return { ...here, distant: await commit(database, distant) };
  } finally {
    await distant.stop();
  }
}

/** Runs the process that commits on a copy of the database; `other` gives what works beside it after the backup. */
async function commit(database, store, other = () => undefined) {
  const live = join(folder, 'live', 'bench.duckdb');
  await mkdir(join(folder, 'live'));
  await copyFile(database, live);
  const place = { database: live, restored: '', folder, prefix: 'service', store };
  const command = other(place);
  const words = command === undefined ? [] : [JSON.stringify(command)];
  // The copy, and whatever else came before, is to be on the disk: commits alone are the yardstick.
  await run(['sync']);
  try {
    const { output } = await run(
      [process.execPath, join(import.meta.dirname, 'service.mjs'), ...words],
      eiderEnvironment(place),
    );
    return JSON.parse(output.trim().split('\n').at(-1));
  } finally {
    await store.empty('service');
    await rm(join(folder, 'live'), { recursive: true });
  }
}
