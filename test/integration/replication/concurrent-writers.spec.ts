import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PointTarget } from '../../../src/repository/point-in-time.js';
import type { Position } from '../../../src/repository/position.js';
import { checkRestored, ConcurrentWriters, WRITERS } from '../../support/concurrent-writers.js';
import { TestClock, type TestCore } from '../../support/core.js';
import { IN_EVERY_WAY, report } from '../../support/fault-loop.js';
import { withRestored } from '../../support/restored-points.js';
import { type ShippedCommit, shippedCommits } from '../../support/shipped-commits.js';
import { type Adapter, ADAPTERS, Site } from '../../support/site.js';

const STEPS = IN_EVERY_WAY ? 180 : 24;
const POINTS: Readonly<Record<Adapter, number>> = IN_EVERY_WAY
  ? { folder: 160, bucket: 160, 'real bucket': 160 }
  : { folder: 12, bucket: 6, 'real bucket': 12 };
/** A backup, with a checkpoint before it where one is possible, after so many commits. */
const COMMITS_PER_ROTATION = 16;
const bulk = (step: number): number => (IN_EVERY_WAY && step % 60 === 0 ? 1_000_000 : 130_000);

/** Runs from a fixed date on. */
class RunningClock extends TestClock {
  readonly #started = performance.now();

  override now(): Date {
    return new Date(super.now().getTime() + Math.floor(performance.now() - this.#started));
  }
}

/** The same points in every run: a failure can be looked at again. */
function* random(seed: number): Generator<number, never, void> {
  for (let state = seed; ;) {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    yield state / 2 ** 31;
  }
}

describe.each(ADAPTERS)('four writers at once, shipped to a %s', (adapter: Adapter) => {
  let site: Site;
  let core: TestCore;

  beforeEach(async () => {
    site = await Site.open(adapter);
    core = site.core(
      'first',
      { R2_WAL_SYNC_INTERVAL_MS: '100', R2_VALIDATE_DOWNLOADS: 'false' },
      { clock: new RunningClock() },
    );
    await core.boot();
  });
  afterEach(async () => {
    await core.shipping.stop();
    await site.remove();
  });

  it(
    `leave a history of which every point is exact: ${POINTS[adapter]} of them`,
    async () => {
      const durable: { position: Position; acknowledged: number[] }[] = [];
      const waits: Promise<void>[] = [];
      const writers = new ConcurrentWriters(core, bulk, async (total) => {
        if (total % 7 === 0) waits.push(noteDurable());
        if (total % COMMITS_PER_ROTATION === 0) await core.backups.create({ trigger: 'interval' });
      });
      async function noteDurable(): Promise<void> {
        const acknowledged = writers.acknowledged();
        const position = core.lineage.at(await core.database.position());
        await core.database.untilDurable();
        durable.push({ position, acknowledged });
      }
      await writers.prepare();
      await core.replication.connect();
      await core.backups.create({ trigger: 'checkpoint' });
      core.shipping.start();
      await writers.run(STEPS);
      await Promise.all(waits);
      await core.database.untilDurable();
      await core.shipping.stop();

      const commits = await shippedCommits(core.repository);
      expect(commits.length).toBe(WRITERS * STEPS);
      expect(core.replication.status).toMatchObject({ state: 'shipping', waitingBytes: 0 });
      const order: { index: number; held: number[] }[] = [];
      for (const { target, index } of pointsOf(commits, POINTS[adapter])) {
        const held = await withRestored(core, target, (query) => checkRestored(writers, query));
        expect(sum(held)).toBe(index + 1);
        order.push({ index, held });
      }
      order.sort((a, b) => a.index - b.index);
      order.forEach(({ held }, at) =>
        held.forEach((n, w) => expect(n).toBeGreaterThanOrEqual(order[at - 1]?.held[w] ?? 0)),
      );
      const looked = IN_EVERY_WAY ? durable.filter((_, n) => n % 5 === 0) : durable.slice(-2);
      for (const { position, acknowledged } of looked) {
        const held = await withRestored(core, { position }, (query) => checkRestored(writers, query));
        held.forEach((n, w) => expect(n).toBeGreaterThanOrEqual(acknowledged[w] ?? 0));
      }
      const held = await withRestored(core, { latest: true }, (query) => checkRestored(writers, query));
      expect(held).toEqual(writers.acknowledged());
      const iterations = new Set(commits.map(({ position }) => position.iteration)).size;
      expect(iterations).toBeGreaterThan(2);
      const records = new Set(commits.map(({ record }) => record)).size;
      report(
        `${adapter}: ${iterations} iterations, ${commits.length} commits in ${records} records, ${order.length} points`,
      );
    },
    IN_EVERY_WAY ? 1_800_000 : 120_000,
  );
});

/** Two thirds by position, at any commit marker; the others by time. */
function* pointsOf(
  commits: readonly ShippedCommit[],
  count: number,
): Generator<{ target: PointTarget; index: number }> {
  const next = random(commits.length);
  for (let n = 0; n < count; n++) {
    const index = Math.floor(next.next().value * commits.length);
    const commit = commits[index];
    if (commit === undefined) continue;
    if (n % 3 !== 2) yield { target: { position: commit.position }, index };
    else
      yield { target: { at: new Date(commit.seen) }, index: commits.findLastIndex(({ seen }) => seen <= commit.seen) };
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
