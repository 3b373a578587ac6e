import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { TestCore } from '../../support/core.js';
import { BUCKET, Site } from '../../support/site.js';

/** How long DuckDB waits in the middle of the checkpoint, ms: the base has to be completed meanwhile. */
const CHECKPOINT_MS = 1_500;

let site: Site;
let core: TestCore;

beforeEach(async () => {
  Logger.overrideLogger(false);
  site = await Site.open(BUCKET);
  core = await site.populated('first', 3, { R2_WAL_SYNC_INTERVAL_MS: '200', R2_VALIDATE_DOWNLOADS: 'false' });
  await core.replication.connect();
});
afterEach(async () => {
  site.server.faults.clear();
  await site.remove();
});

/** A checkpoint that is under way: it began before this iteration had a base, so that nothing had to be shipped before. */
async function beginCheckpoint(): Promise<{ readonly done: Promise<boolean> }> {
  await core.write(`SET GLOBAL debug_checkpoint_sleep_ms = ${CHECKPOINT_MS}`);
  const before = core.database.files.wal()?.size ?? 0;
  const done = core.database.checkpoint({ timeoutMs: 10_000 });
  // It begins with a record in the log.
  while ((core.database.files.wal()?.size ?? 0) === before) await new Promise((resolve) => setImmediate(resolve));
  return { done };
}

it('what arrives while a checkpoint begins the next iteration says nothing of that one', async () => {
  const manifest = site.server.faults.hold({ operation: 'PutObject', key: /^backups\/[^/]*\d{6}\.json$/ });
  const base = core.backups.create({ trigger: 'checkpoint' });
  await manifest.reached;
  await core.write('INSERT INTO guests SELECT range FROM range(5000)');
  const { iteration } = await core.database.position();
  const checkpoint = await beginCheckpoint();
  manifest.open();
  await base;
  expect(core.replication.state).toBe('shipping');
  const record = site.server.faults.hold({ operation: 'PutObject', key: /log\/\d+$/ }, 'answer');
  core.replication.look();
  const shipping = core.replication.ship();
  await record.reached;
  expect(await checkpoint.done).toBe(true);
  expect(core.replication.state).toBe('awaiting-base');
  await core.write('INSERT INTO guests VALUES (100)');
  const late = await core.database.position();
  expect(late.iteration).toBe(iteration + 1);
  record.open();
  await shipping;
  expect(core.replication.shipped.current?.iteration).toBe(iteration);
});
