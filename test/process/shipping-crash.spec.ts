import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BlockPool } from '../../src/block-pool/block-pool.js';
import { ADAPTERS } from '../support/adapters.js';
import { ShippingHistory } from '../support/crash/shipping-history.js';
import { Stage } from '../support/stage.js';
import { seededRandom } from '../support/seeded-random.js';

/** Continuous integration takes its time; everybody else waits for the result. */
const ROUNDS = Number(process.env['SHIPPING_ROUNDS'] ?? (process.env['CI'] === undefined ? 10 : 200));
/** Rounds in one repository: a history that grows only makes listings longer. */
const ROUNDS_EACH = Math.max(1, Math.min(20, Math.ceil(ROUNDS / 2)));

/** The same seed draws the same rounds; where within a round the kill falls is up to the machine. */
const SEED = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 1e9));
const random = seededRandom(SEED);

let stage: Stage;
let pool: BlockPool;

beforeEach(async () => {
  Logger.overrideLogger(false);
  stage = await Stage.set();
  pool = new BlockPool();
});
afterEach(async () => {
  await pool.close();
  await stage.clear();
});

/** What went wrong once may not come again, so the files are kept. */
async function nothingWrong(wrong: readonly string[]): Promise<void> {
  if (wrong.length > 0) {
    const kept = await mkdtemp(join(tmpdir(), 'eider-crash-'));
    await cp(stage.path, kept, { recursive: true });
    process.stderr.write(`shipping crash test, seed ${SEED}: the files are kept in ${kept}\n`);
  }
  expect({ seed: SEED, wrong }).toEqual({ seed: SEED, wrong: [] });
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

describe('kill -9 while commits are shipped', () => {
  it(`at ${ROUNDS} random moments, the disk kept or lost: what was shipped is there, and every earlier point is exact`, async () => {
    const started = performance.now();
    const rpo: number[] = [];
    const figures: Record<string, number> = {};
    for (let done = 0; done < ROUNDS; done += ROUNDS_EACH) {
      const adapter = ADAPTERS[(done / ROUNDS_EACH) % ADAPTERS.length] ?? 'folder';
      const history = await ShippingHistory.begin({ stage, pool, random, name: `history-${done}`, adapter });
      for (let round = 1; round <= Math.min(ROUNDS_EACH, ROUNDS - done); round++) {
        await nothingWrong((await history.round(round)).map((what) => `history ${done} (${adapter}), ${what}`));
      }
      await nothingWrong(await history.end());
      rpo.push(...history.model.rpo);
      for (const [what, count] of Object.entries(history.figures)) figures[what] = (figures[what] ?? 0) + count;
    }
    const sorted = rpo.toSorted((a, b) => a - b);
    const seconds = Math.round((performance.now() - started) / 1000);
    process.stdout.write(
      `shipping crash test, seed ${SEED}: ${ROUNDS} rounds in ${seconds} s, ${JSON.stringify(figures)}, ${rpo.length} lost disks, ` +
        `RPO p50 ${percentile(sorted, 0.5)} ms, p99 ${percentile(sorted, 0.99)} ms, max ${sorted.at(-1) ?? 0} ms\n`,
    );
    expect(rpo.length).toBeGreaterThan(0);
  }, 3_600_000);
});
