import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { TestCore } from '../../support/core.js';
import { contentOf, Site } from '../../support/site.js';

/** Points at which DuckDB gives up a checkpoint when it is told to, and whether the header names a new iteration by then. */
const ABORTS = [
  ['BEFORE_HEADER', false],
  ['AFTER_FREE_LIST_WRITE', false],
  ['BEFORE_TRUNCATE', true],
  ['BEFORE_WAL_FINISH', true],
] as const;
const ENV = { R2_WAL_SYNC_INTERVAL_MS: '200', R2_VALIDATE_DOWNLOADS: 'false' };

let site: Site;
let core: TestCore;
let content: string[];

describe.each(ABORTS)('a checkpoint that fails (%s)', (abort, isNewIteration) => {
  beforeEach(async () => {
    Logger.overrideLogger(false);
    site = await Site.open('folder');
    core = await site.populated('first', 3, ENV);
    await core.replication.connect();
    await core.backups.create({ trigger: 'checkpoint' });
    await core.write('INSERT INTO guests VALUES (10)', 'INSERT INTO guests SELECT range FROM range(130000)');
    content = await contentOf(core);
    await core.write(`SET GLOBAL debug_checkpoint_abort = '${abort}'`);
    await expect(core.database.checkpoint()).rejects.toThrow(/Checkpoint aborted/);
  });
  afterEach(async () => site.remove());

  it('is seen, and nothing is acknowledged any more', async () => {
    expect(core.database.fatal?.message).toMatch(/has been invalidated/);
    await expect(core.write('INSERT INTO guests VALUES (11)')).rejects.toThrow(/has been invalidated/);
  });

  it('leaves a database that the next start opens whole, and whose history goes on', async () => {
    const { lineage } = core.lineage.state;
    // What ships goes on for a moment: the record that every checkpoint begins with is no commit.
    core.replication.look();
    await core.replication.ship();
    await core.close();
    const again = site.core('first', ENV);
    expect((await again.boot()).decision.row).toBe('local-up-to-date');
    expect(await contentOf(again)).toEqual(content);
    await again.replication.connect();
    expect(again.replication.state).toBe(isNewIteration ? 'awaiting-base' : 'shipping');
    expect(again.lineage.state.lineage).toBe(lineage);
  });

  it('leaves everything in the store that was there', async () => {
    core.replication.look();
    await core.replication.ship();
    const other = site.core('other', ENV);
    await other.boot();
    expect(await contentOf(other)).toEqual(content);
  });
});
