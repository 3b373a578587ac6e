import { copyFile, mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { changedBlocks, hashBlocks } from './changed-blocks.mjs';
import { CHANGES } from './changes.mjs';
import { eiderUnopened } from './contenders.mjs';
import { run } from './measure.mjs';
import { countRequests } from './request-counter.mjs';

/** The change that makes the local file a newer one than the backup. */
const CHANGE = CHANGES.find((name) => name.startsWith('1 %'));
/** Of so many blocks of the damaged file one has a byte that is wrong. */
const DAMAGED_EVERY = 100;
/** Who takes part beside Eider. What else there is fetches the whole file always. */
const PEERS = ['restic', 'rclone'];

/**
 * Restores one backup in the place of local files that hold more or less of it, and of none.
 *
 * Eider is the one that does not open the file: what it leaves is the backup, byte for byte.
 *
 * @typedef {object} Case
 * @property {string} local   what was there
 * @property {number | undefined} different   blocks in which it differs from the backup
 * @property {Record<string, DeltaRun[]>} tools   by name, one per round
 *
 * @typedef {object} DeltaRun
 * @property {number} seconds
 * @property {number} peak
 * @property {number | undefined} fetched   bytes; of a peer only in the first round, counted at a proxy, where the store is S3
 * @property {{ inside: number, fetched: number, blocks: number, localBlocks: number } | undefined} report   Eider's own
 *
 * @returns {Promise<Case[]>}
 */
export async function measureDelta({ database, contenders, store, folder, seed, runs, say }) {
  const work = join(folder, 'delta');
  await mkdir(work);
  const tools = [eiderUnopened, ...contenders.filter(({ name }) => PEERS.includes(name))];
  try {
    const cases = await prepareCases(database, work, seed);
    // One tool after the other: the backup of one is in the store at a time.
    for (const tool of tools) {
      const place = { database, restored: '', folder: work, prefix: `delta-${tool.name}`, store };
      try {
        if (tool.prepare !== undefined) await run(tool.prepare(place), tool.env(place));
        await run(tool.backup(place), tool.env(place));
        for (let round = 0; round < runs; round++) {
          for (const one of cases) {
            const result = await restoreInPlace(one, place, tool);
            if (result.report === undefined && round === 0) result.fetched = await bytesFetched(one, place, tool);
            (one.tools[tool.name] ??= []).push(result);
            say(`round ${round + 1}: restore, ${one.local}: ${tool.name}: ${result.seconds.toFixed(1)} s`);
          }
        }
      } finally {
        await store.empty(place.prefix);
        await rm(`${database}.eider.json`, { force: true });
      }
    }
    return cases.map(({ local, different, tools: results }) => ({ local, different, tools: results }));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Each with what puts the local file in its place. */
async function prepareCases(database, work, seed) {
  const before = await hashBlocks(database);
  const newer = join(work, 'newer.duckdb');
  await copyFile(database, newer);
  await run([process.execPath, join(import.meta.dirname, 'changes.mjs'), newer, CHANGE, seed]);
  const { count } = await changedBlocks(newer, before);
  const damaged = damagedBlocks((await stat(database)).size);
  const copyDamaged = async (file) => {
    await copyFile(database, file);
    await damage(file, damaged);
  };
  const put = (local, different, make) => ({ local, different, make, tools: {} });
  return [
    put('none', undefined, () => Promise.resolve()),
    put('the same', 0, (file) => copyFile(database, file)),
    put(`newer: ${CHANGE}`, count, (file) => copyFile(newer, file)),
    put('damaged: 1 % of the blocks', damaged.length, copyDamaged),
  ];
}

/** Places in every n-th block. */
function damagedBlocks(size) {
  const every = DAMAGED_EVERY * 262_144;
  return Array.from({ length: Math.ceil((size - 300_000) / every) }, (_, index) => 300_000 + index * every);
}

/** Turns the bits of a byte in each place. */
async function damage(path, places) {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  for (const at of places) {
    await file.read(byte, 0, 1, at);
    byte[0] ^= 0xff;
    await file.write(byte, 0, 1, at);
  }
  await file.close();
}

async function restoreInPlace({ make }, place, tool) {
  const machine = join(place.folder, 'machine');
  const { file, env, command, report } = tool.inPlace(place, machine);
  await mkdir(dirname(file), { recursive: true });
  try {
    await make(file);
    // The restore point that Eider leaves does not count.
    const { seconds, peak, child, output } = await run(command, env);
    await run(['cmp', place.database, file]);
    const own = report?.(output);
    // A tool may be started by a shell.
    return { seconds, peak: report === undefined ? Math.max(peak, child) : peak, fetched: own?.fetched, report: own };
  } finally {
    await rm(machine, { recursive: true });
  }
}

/** Bytes that one more restore fetches, which is not timed. */
async function bytesFetched(one, place, tool) {
  const { store } = place;
  if (store.s3 === undefined) return undefined;
  const counter = await countRequests(store.s3.endpoint);
  try {
    await restoreInPlace(one, { ...place, store: { ...store, s3: { ...store.s3, endpoint: counter.endpoint } } }, tool);
    return counter.fetched();
  } finally {
    await counter.stop();
  }
}
