import { afterEach, describe, expect, it } from '@jest/globals';
import { recordNumberOf } from '../../../src/repository/keys.js';
import type { TestCore } from '../../support/core.js';
import { ADAPTERS, backUp, contentOf, Site } from '../../support/site.js';

const HOUR_MS = 3_600_000;

let site: Site;
afterEach(async () => site.remove());

async function recordsOf(core: TestCore): Promise<number[]> {
  const numbers: number[] = [];
  for await (const { key } of core.store.list('log/')) numbers.push(recordNumberOf(key) ?? -1);
  return numbers;
}

async function shipped(core: TestCore, id: number): Promise<Date> {
  await core.write(`INSERT INTO guests VALUES (${id})`);
  core.replication.look();
  await core.replication.ship();
  return core.clock.now();
}

describe.each(ADAPTERS)('retention of the log in a %s', (adapter) => {
  it('removes records that no moment of the window needs, and what is left restores', async () => {
    site = await Site.open(adapter, { compares: true });
    const core = await site.populated('first', 3, { R2_WAL_SYNC_INTERVAL_MS: '3000', PITR_WINDOW_HOURS: '1' });
    await core.replication.connect();
    await backUp(core);
    const early = await shipped(core, 100);
    core.clock.advance(30 * HOUR_MS);
    const second = await backUp(core);
    const middle = await shipped(core, 101);
    core.clock.advance(30 * HOUR_MS);
    await backUp(core);
    await shipped(core, 102);
    const before = await recordsOf(core);
    const content = await contentOf(core);
    await core.retention.run({ dryRun: true });
    expect(await recordsOf(core)).toEqual(before);

    await core.retention.run();
    const left = await recordsOf(core);
    expect(left).toEqual(before.filter((number) => number >= second.log));
    expect(left.length).toBeLessThan(before.length);
    await expect(core.restores.find({ at: early })).rejects.toMatchObject({ code: 'RESTORE_POINT_UNREACHABLE' });
    expect(await core.restores.find({ at: middle })).toMatchObject({ point: { records: [{}] } });
    const other = site.core('other', { R2_WAL_SYNC_INTERVAL_MS: '3000' });
    await other.boot();
    expect(await contentOf(other)).toEqual(content);
  });

  it('keeps every moment of the window, were the backups that it rests on too old', async () => {
    site = await Site.open(adapter, { compares: true });
    const core = await site.populated('first', 3, {
      R2_WAL_SYNC_INTERVAL_MS: '3000',
      R2_BACKUP_RETENTION_DAYS: '1',
      BACKUP_KEEP_ALL_HOURS: '1',
      PITR_WINDOW_HOURS: '72',
    });
    await core.replication.connect();
    const moments: { readonly at: Date; readonly content: readonly string[] }[] = [];
    for (let id = 100; id < 104; id++) {
      await backUp(core);
      moments.push({ at: await shipped(core, id), content: await contentOf(core) });
      core.clock.advance(20 * HOUR_MS);
    }
    await backUp(core);
    const { backups } = await core.retention.run();
    expect(backups.map(({ reason }) => reason)).toEqual(['newest', ...moments.map(() => 'point-in-time')]);
    for (const [index, { at, content }] of moments.entries()) {
      const other = site.core(`at-${index}`);
      await other.offline.toFile(await core.restores.find({ at }), other.database.path);
      await other.open();
      expect(await contentOf(other)).toEqual(content);
    }
  });
});
