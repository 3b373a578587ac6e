import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { FilePosition } from '../../../src/duckdb-format/file-position.js';
import type { ReplicationState } from '../../../src/replication/replication-status.js';
import type { TestCore } from '../../support/core.js';
import { failEachRequest, IN_EVERY_WAY, report } from '../../support/fault-loop.js';
import { withRestored } from '../../support/restored-points.js';
import { shippedCommits } from '../../support/shipped-commits.js';
import { Site } from '../../support/site.js';

const QUICK = { R2_WAL_SYNC_INTERVAL_MS: '3000', R2_VALIDATE_DOWNLOADS: 'false' };

let site: Site;
let core: TestCore;
let next = 0;
/** How many numbers there are after each commit. */
const counts = new Map<string, number>();

beforeEach(async () => {
  site = await Site.open('bucket');
  core = site.core('first', QUICK);
  await core.boot();
  await core.write('CREATE TABLE numbers (n INTEGER)');
  await core.replication.connect();
  await core.backups.create({ trigger: 'checkpoint' });
  next = 0;
  counts.clear();
});
afterEach(async () => site.remove());

async function commit(): Promise<void> {
  core.clock.advance(1000);
  await core.write(`INSERT INTO numbers VALUES (${next++})`);
  core.replication.look();
  counts.set(keyOf(await core.database.position()), next);
}
const keyOf = ({ iteration, offset }: FilePosition): string => `${iteration}/${offset}`;
/** What the loop does by itself: ships, and takes the base that is needed. */
async function act(): Promise<void> {
  const needsBase: ReplicationState = 'awaiting-base';
  if (core.replication.state === needsBase) await core.backups.create({ trigger: 'checkpoint' });
  await core.replication.ship();
}
const numbersAt = (target: Parameters<typeof withRestored>[1]): Promise<number[]> =>
  withRestored(core, target, async (query) => {
    const rows = await query<{ n: number }>('SELECT n FROM numbers ORDER BY n');
    return rows.map(({ n }) => n);
  });
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe('a store that fails while commits are shipped and the base changes', () => {
  it(
    'loses, skips and doubles nothing, whichever request fails',
    async () => {
      let rounds = 0;
      const work = async (): Promise<void> => {
        await commit();
        await core.replication.ship().catch(() => {});
        await commit();
        await core.backups.create({ trigger: 'checkpoint' }).catch(() => {});
        await commit();
        await core.replication.ship().catch(() => {});
      };
      const faults = await failEachRequest(site.s3, work, async (mend) => {
        await work();
        mend();
        await act();
        expect(core.replication.status).toMatchObject({ state: 'shipping', waitingBytes: 0 });
        expect(core.replication.shipped.current).toEqual(await core.database.position());
        // Joins them byte for byte, and would throw where one is missing or there twice.
        await shippedCommits(core.repository);
        if (rounds++ % 5 === 0) expect(await numbersAt({ latest: true })).toEqual(upTo(next));
      });
      expect(await numbersAt({ latest: true })).toEqual(upTo(next));
      for (const [index, { position }] of (await shippedCommits(core.repository)).entries()) {
        if (index % 9 === 0) expect(await numbersAt({ position })).toEqual(upTo(counts.get(keyOf(position)) ?? 0));
      }
      report(`shipping: ${faults} faults of the store tried, ${next} commits`);
      expect(faults).toBeGreaterThan(IN_EVERY_WAY ? 60 : 10);
    },
    IN_EVERY_WAY ? 600_000 : 120_000,
  );

  it('that is slow, throttled and loses answers at once is told apart from another writer', async () => {
    for (let n = 0; n < 8; n++) {
      site.s3.faults.add({ kind: 'status', status: 503, code: 'SlowDown', retryAfter: 1 }, {}, { times: 2 });
      site.s3.faults.loseAnswer({ operation: 'PutObject' });
      await commit();
      await act();
    }
    expect(core.replication.state).toBe('shipping');
    expect(await shippedCommits(core.repository)).toHaveLength(next);
    expect(await numbersAt({ latest: true })).toEqual(upTo(next));
  });

  it('for minutes is told, the database goes on, and what is in no record is a named gap', async () => {
    core = site.core('small', QUICK, { replication: { mostUnshippedBytes: 64 * 1024 } });
    await core.boot();
    await core.replication.connect();
    await core.backups.create({ trigger: 'checkpoint' });
    await commit();
    await core.replication.ship();
    const known = core.clock.now();
    site.s3.faults.failAlways(503, {}, 'ServiceUnavailable');
    for (let minute = 0; minute < 5; minute++) {
      core.clock.advance(60_000);
      await commit();
      await expect(core.replication.ship()).rejects.toMatchObject({ code: 'STORE_THROTTLED' });
    }
    expect(core.replication.status).toMatchObject({ state: 'shipping', lastError: { code: 'STORE_THROTTLED' } });
    expect(core.replication.status.waitingBytes).toBeGreaterThan(0);
    expect(await core.database.checkpoint({ timeoutMs: 0 })).toBe(false);
    const inGap = core.clock.now();
    await core.write("CREATE TABLE filler AS SELECT repeat('x', 1000) AS x FROM range(200)");
    core.clock.advance(60_000);
    core.replication.look();
    expect(await core.database.checkpoint({ timeoutMs: 2_000 })).toBe(true);
    expect(core.replication.state).toBe('awaiting-base');
    await commit();
    await expect(core.backups.create({ trigger: 'checkpoint' })).rejects.toMatchObject({ code: 'STORE_THROTTLED' });

    site.s3.faults.clear();
    core.clock.advance(60_000);
    await core.backups.create({ trigger: 'checkpoint' });
    const based = core.clock.now();
    await commit();
    await core.replication.ship();
    expect(await numbersAt({ latest: true })).toEqual(upTo(next));
    expect(await numbersAt({ at: based })).toEqual(upTo(next - 1));
    expect(await numbersAt({ at: known })).toEqual(upTo(1));
    await expect(numbersAt({ at: inGap })).rejects.toMatchObject({
      code: 'RESTORE_POINT_UNREACHABLE',
      message: expect.stringContaining('a checkpoint came before everything was shipped'),
    });
  }, 120_000);
});
