#!/usr/bin/env node
// Measures how much memory backups and restores take of databases of several sizes, up to such as do not fit on the disk: most
// of their blocks are holes. bench/README.md explains.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { contenders, eiderEnvironment } from './contenders.mjs';
import { describeMachine } from './machine.mjs';
import { table } from './markdown.mjs';
import { run } from './measure.mjs';
import { changeFew, makeSparse } from './sparse-database.mjs';
import { openStore } from './stores.mjs';
import { fixed, MIB, parseSize } from './units.mjs';

const { values: options } = parseArgs({
  options: {
    sizes: { type: 'string', default: '1GB,10GB,100GB' },
    // A restored file has no holes.
    'restore-up-to': { type: 'string', default: '10GB' },
    folder: { type: 'string', default: tmpdir() },
    json: { type: 'boolean', default: false },
  },
});

/** What is measured, and which memory at rest it is held against: of the loaded program, or with the database open. */
const TASKS = [
  ['full backup, command line', 'open'],
  ['incremental backup, command line', 'open'],
  ['full backup in a process that has the database open and commits', 'open'],
  ['plan of a restore beside the same file (`restore --dry-run`)', 'loaded'],
  ['`verify --mode quick`', 'loaded'],
  ['`verify --mode full`', 'loaded'],
  ['restore', 'loaded'],
];
const MOST = 256 * MIB;

const say = (text) => process.stderr.write(`${text}\n`);
const folder = await mkdtemp(join(options.folder, 'eider-bench-'));
const store = await openStore('folder', folder, 0);
try {
  const measured = [];
  for (const size of options.sizes.split(',')) measured.push(await measure(size));
  process.stdout.write(`${options.json ? JSON.stringify(measured, null, 2) : report(measured)}\n`);
} finally {
  await store.stop();
  await rm(folder, { recursive: true, force: true });
}

/**
 * @returns {Promise<{ size: string, bytes: number, rest: { loaded: number, open: number }, results: { seconds: number,
 *   peak: number, child: number }[] }>} results in the order of TASKS; none of a restore that is too large
 */
async function measure(size) {
  const work = join(folder, 'work');
  await mkdir(work);
  const database = join(work, 'sparse.duckdb');
  say(`making a database of ${size}`);
  const bytes = await makeSparse(database, parseSize(size));
  const place = { database, restored: join(work, 'restored.duckdb'), folder: work, prefix: 'memory', store };
  const [eider] = contenders([], store);
  const cli = async (what, command, env = eider.env(place)) => {
    const result = await run(command, env);
    say(`${size}: ${what}: ${result.seconds.toFixed(1)} s, ${mebibytes(result.peak)} MiB`);
    return result;
  };
  try {
    const full = await cli('full backup', eider.backup());
    await changeFew(database);
    const incremental = await cli('incremental backup', eider.backup());
    const { kind } = await manifestOf(incremental, eider, place);
    if (kind !== 'incremental') throw new Error(`the second backup is ${kind}`);
    const plan = await cli('plan', [...eider.inPlace(place, work).command, '--dry-run']);
    const quick = await cli('quick check', [...eider.verify(incremental.output), '--mode', 'quick']);
    const whole = await cli('full check', eider.verify(incremental.output));
    const restore = await restored(size, place, eider, cli);
    const { service, rest } = await inService(place);
    return { size, bytes, rest, results: [full, incremental, service, plan, quick, whole, restore] };
  } finally {
    await store.empty('memory');
    await store.empty('service');
    await rm(work, { recursive: true });
  }
}

async function manifestOf({ output }, eider, place) {
  const { name } = JSON.parse(output);
  const [program, script] = eider.backup();
  const shown = await run([program, script, 'show', name, '--json'], eider.env(place));
  return JSON.parse(shown.output);
}

async function restored(size, place, eider, cli) {
  if (parseSize(size) > parseSize(options['restore-up-to'])) return undefined;
  const result = await cli('restore', eider.restore(place), eider.restoreEnv(place));
  await rm(place.restored);
  return result;
}

/** A full backup in a process that commits, with the memory of that process before it. */
async function inService(place) {
  await rm(`${place.database}.eider.json`, { force: true });
  const command = [process.execPath, join(import.meta.dirname, 'service.mjs')];
  const { output } = await run(command, eiderEnvironment({ ...place, prefix: 'service' }));
  const { memory, seconds } = JSON.parse(output.trim().split('\n').at(-1));
  say(`in a service: ${seconds.toFixed(1)} s, ${mebibytes(memory.peak)} MiB`);
  return {
    service: { seconds, peak: memory.peak, child: 0 },
    rest: { loaded: memory.loaded, open: memory.idle },
  };
}

function report(measured) {
  const cell = ({ rest, results }, index) => {
    const result = results[index];
    if (result === undefined) return '-';
    const above = result.peak - rest[TASKS[index][1]];
    const own = `${mebibytes(above)} (${mebibytes(result.peak)}), ${fixed(result.seconds)} s`;
    return above > MOST ? `**${own}**` : own;
  };
  return [
    `Taken ${new Date().toISOString()}. Machine: ${describeMachine().join('; ')}. Store: ${store.description}.`,
    '',
    'Peak resident memory of Eider’s process above the same process at rest, MiB (the whole of it in brackets), and seconds:',
    '',
    table(
      ['what', ...measured.map(({ size }) => size)],
      [
        ...TASKS.map(([what], index) => [what, ...measured.map((one) => cell(one, index))]),
        ['at rest: loaded; with the database open', ...measured.map(({ rest }) => atRest(rest))],
      ],
    ),
  ].join('\n');
}

function atRest({ loaded, open }) {
  return `${mebibytes(loaded)}; ${mebibytes(open)}`;
}

function mebibytes(bytes) {
  return fixed(bytes / MIB, 0);
}
