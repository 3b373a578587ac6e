import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { changedBlocks, hashBlocks } from './changed-blocks.mjs';
import { CHANGES } from './changes.mjs';
import { eiderIfChanged } from './contenders.mjs';
import { run } from './measure.mjs';
import { countRequests } from './request-counter.mjs';

/** Who takes part, and whether it builds on its last backup. What else there is copies the whole file, as the older way does. */
const TOOLS = new Map([
  ['eider', true],
  [eiderIfChanged.name, true],
  ['gzip + PUT', false],
  ['restic', true],
]);
const NOTHING = 'nothing changed';

/**
 * Backs a database up again after each of a few changes. Every round begins with a full backup of the same database, so all
 * rounds find the same work (DuckDB's threads may lay a few blocks out otherwise).
 *
 * @typedef {object} Step
 * @property {string} change
 * @property {{ count: number, bytes: number, packed: number }[]} blocks   that the change left different, one per round
 * @property {Record<string, ToolRun[]>} tools   by name, one per round; of `eider --if-changed` where nothing changed
 *
 * @typedef {object} ToolRun
 * @property {number} seconds
 * @property {number} added   bytes of the objects that are new in the store or were written again
 * @property {number | undefined} inside   seconds of the backup itself, without the start of its process: of Eider
 * @property {Record<string, number> | undefined} requests   by method, where nothing changed and the store is S3
 *
 * @returns {Promise<Step[]>}
 */
export async function measureIncremental({ database, contenders, store, folder, seed, runs, say }) {
  const tools = contenders
    .filter(({ name }) => TOOLS.has(name))
    .flatMap((tool) => (tool.name === eiderIfChanged.repository ? [tool, eiderIfChanged] : [tool]));
  const steps = [NOTHING, ...CHANGES].map((change) => ({ change, blocks: [], tools: {} }));
  for (let round = 0; round < runs; round++) {
    const order = tools.map((_, index) => tools[(index + round) % tools.length]);
    const work = join(folder, 'incremental');
    await mkdir(work);
    const changing = join(work, 'changing.duckdb');
    await copyFile(database, changing);
    const entrants = order.map((tool) => enter(tool, { database: changing, folder: work, store }));
    try {
      for (const { begin } of entrants) await begin();
      for (const step of steps) {
        const blocks = await makeChange(changing, step.change, seed, async () => {
          for (const { name, again } of entrants.filter(({ measures }) => measures(step.change))) {
            const result = await again(step.change);
            (step.tools[name] ??= []).push(result);
            say(`round ${round + 1}: ${step.change}: ${name}: ${result.seconds.toFixed(1)} s, ${result.added} bytes`);
          }
        });
        step.blocks.push(blocks);
      }
    } finally {
      for (const { end } of entrants) await end();
      await rm(work, { recursive: true, force: true });
    }
  }
  return steps;
}

/** Changes the file, lets the tools back it up, and makes sure that all have seen the same one. */
async function makeChange(file, change, seed, backUp) {
  const before = await hashBlocks(file);
  if (change !== NOTHING) {
    await run([process.execPath, join(import.meta.dirname, 'changes.mjs'), file, change, seed]);
  }
  const { hashes, ...blocks } = await changedBlocks(file, before);
  await backUp();
  if ((await hashBlocks(file)).join() !== hashes.join()) throw new Error('a backup changed the file that it backed up');
  return blocks;
}

/** One tool for a round, with a repository of its own or in that of another one. */
function enter(tool, { database, folder, store }) {
  const shares = tool.repository !== undefined;
  const prefix = `incremental-${(tool.repository ?? tool.name).replaceAll(/\W+/g, '-')}`;
  const place = { database, restored: join(folder, 'restored.duckdb'), folder, prefix, store };
  const env = tool.env(place);
  return {
    name: tool.name,
    measures: (change) => tool !== eiderIfChanged || change === NOTHING,
    begin: async () => {
      if (shares) return;
      if (tool.prepare !== undefined) await run(tool.prepare(place), env);
      if (TOOLS.get(tool.name)) await run(tool.backup(place), env);
    },
    again: async (change) => {
      // Its copies of the file before would fill the disk; it needs none of them.
      if (!TOOLS.get(tool.name)) await store.empty(prefix);
      const before = await store.objects(prefix);
      const { seconds, output } = await run(tool.backup(place), env);
      const added = bytesWritten(before, await store.objects(prefix));
      await verify(tool, place, output);
      // Of a copy of the whole file it is one PUT.
      const counts = change === NOTHING && store.s3 !== undefined && TOOLS.get(tool.name);
      const requests = counts ? await requestsOf(tool, place) : undefined;
      return { seconds, added, inside: tool.inside?.(output), requests };
    },
    end: async () => {
      if (!shares) await store.empty(prefix);
    },
  };
}

function bytesWritten(before, after) {
  return [...after]
    .filter(([key, { version }]) => before.get(key)?.version !== version)
    .reduce((sum, [, { size }]) => sum + size, 0);
}

async function verify(tool, place, output) {
  const env = tool.env(place);
  if (tool.verify !== undefined) await run(tool.verify(output), env);
  await run(tool.restore(place), tool.restoreEnv?.(place) ?? env);
  await run(['cmp', place.database, place.restored]);
  await rm(place.restored);
}

/** Requests of one more backup of the unchanged file. */
async function requestsOf(tool, place) {
  const counter = await countRequests(place.store.s3.endpoint);
  try {
    const counted = { ...place, store: { ...place.store, s3: { ...place.store.s3, endpoint: counter.endpoint } } };
    await run(tool.backup(counted), tool.env(counted));
    return counter.counts;
  } finally {
    await counter.stop();
  }
}
