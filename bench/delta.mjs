import { copyFile, mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { changedBlocks, hashBlocks } from './changed-blocks.mjs';
import { CHANGES } from './changes.mjs';
import { run } from './measure.mjs';

/** The change that makes the local file a newer one than the backup. */
const CHANGE = CHANGES.find((name) => name.startsWith('1 %'));
const NOWHERE = 'no local file';
/** Of so many blocks of the damaged file one has a byte that is wrong. */
const DAMAGED_EVERY = 100;

/**
 * Restores one backup in the place of local files that hold more or less of it, and of none. Eider alone: nothing else here
 * restores in place from what is there.
 *
 * @typedef {object} Case
 * @property {string} local   what was there
 * @property {number | undefined} different   blocks in which it differs from the backup
 * @property {{ seconds: number, inside: number, peak: number, fetched: number, blocks: number, localBlocks: number }[]} runs
 *
 * @returns {Promise<Case[]>}
 */
export async function measureDelta({ database, contender, store, folder, seed, runs, say }) {
  const work = join(folder, 'delta');
  await mkdir(work);
  const place = { database, restored: '', folder: work, prefix: 'delta', store };
  try {
    await run(contender.backup(place), contender.env(place));
    const cases = await prepareCases(database, work, seed);
    for (let round = 0; round < runs; round++) {
      for (const one of cases) {
        const result = await restoreInPlace(one.file, place, contender);
        one.runs.push(result);
        say(`round ${round + 1}: restore, ${one.local}: ${result.seconds.toFixed(1)} s, ${result.fetched} bytes`);
      }
    }
    return cases.map(({ local, different, runs: results }) => ({ local, different, runs: results }));
  } finally {
    await store.empty('delta');
    await rm(`${database}.eider.json`, { force: true });
    await rm(work, { recursive: true, force: true });
  }
}

async function prepareCases(database, work, seed) {
  const before = await hashBlocks(database);
  const newer = join(work, 'newer.duckdb');
  await copyFile(database, newer);
  await run([process.execPath, join(import.meta.dirname, 'changes.mjs'), newer, CHANGE, seed]);
  const damaged = join(work, 'damaged.duckdb');
  await copyFile(database, damaged);
  await damage(damaged);
  const differing = async (file) => (await changedBlocks(file, before)).count;
  return [
    { local: NOWHERE, file: undefined, different: undefined, runs: [] },
    { local: 'the same file', file: database, different: 0, runs: [] },
    { local: `a newer file: ${CHANGE}`, file: newer, different: await differing(newer), runs: [] },
    { local: 'a damaged file: 1 % of the blocks', file: damaged, different: await differing(damaged), runs: [] },
  ];
}

/** Spoils a byte in every n-th block. */
async function damage(path) {
  const file = await open(path, 'r+');
  const { size } = await stat(path);
  for (let at = 300_000; at < size; at += DAMAGED_EVERY * 262_144) await file.write(Buffer.from('!'), 0, 1, at);
  await file.close();
}

async function restoreInPlace(file, place, contender) {
  const folder = join(place.folder, 'machine');
  await mkdir(folder);
  const target = { ...place, database: join(folder, 'in-place.duckdb') };
  try {
    if (file !== undefined) await copyFile(file, target.database);
    // The restore point that is left does not count.
    const { seconds, peak, output } = await run(contender.restoreInPlace(), contender.env(target));
    const { durationMs, fetchedBytes, blocks, localBlocks } = JSON.parse(output);
    await run(['cmp', place.database, target.database]);
    return { seconds, peak, inside: durationMs / 1000, fetched: fetchedBytes, blocks, localBlocks };
  } finally {
    await rm(folder, { recursive: true });
  }
}
