import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BackupScheduler } from '../../../src/backup/backup-scheduler.js';
import { backupConcern } from '../../../src/config/backup.config.js';
import { databaseConcern } from '../../../src/config/database.config.js';
import { CheckpointWatcher } from '../../../src/database/checkpoint-watcher.js';
import { RequestGate } from '../../../src/http/request-gate.js';
import { ShutdownService } from '../../../src/lifecycle/shutdown.service.js';
import { OperationsService } from '../../../src/operations/operations.service.js';
import { Clock } from '../../../src/runtime/clock.js';
import type { TestCore } from '../../support/core.js';
import { backUp, Site } from '../../support/site.js';

/** Runs until it is interrupted. */
const ENDLESS = 'SELECT count(*) FROM range(100000000000000) WHERE range % 7 = 3';
const TIME_MS = 5_000;

let site: Site;
let core: TestCore;
let operations: OperationsService;

beforeEach(async () => {
  site = await Site.open('bucket');
  core = await site.populated('first', 3, { DUCKDB_POOL_SIZE: '2', WRITE_DRAIN_TIMEOUT_MS: '200' });
  operations = new OperationsService(new Clock());
  await backUp(core);
  await core.write('INSERT INTO guests VALUES (100)');
});
afterEach(async () => site.remove());

/** Stops the core as the service would, with five seconds in all. */
async function stop(): Promise<boolean> {
  const env = { NODE_ENV: 'test', DUCKDB_PATH: core.database.path };
  const rules = backupConcern.parse(env);
  const { backups, database, lineage, pool, proofScheduler, replication, retention, shipping, store } = core;
  const service = new ShutdownService(
    rules,
    { shutdownTimeoutMs: TIME_MS },
    store,
    new RequestGate(new Clock()),
    new BackupScheduler(rules, backups, retention, core.clock),
    new CheckpointWatcher(databaseConcern.parse(env), database, core.clock),
    replication,
    shipping,
    proofScheduler,
    operations,
    database,
    backups,
    lineage,
    pool,
  );
  return service.run(new AbortController().signal);
}

/** What a machine gets that has nothing but the repository. */
async function guestsElsewhere(): Promise<number> {
  const other = site.core('other');
  await other.boot();
  return other.number('SELECT count(*) FROM guests');
}

describe('a stop saves every acknowledged write', () => {
  it('beside a transaction that cannot be ended', async () => {
    let end = (): void => {};
    const waits = new Promise<void>((resolve) => (end = resolve));
    const stuck = core.database.transaction(async (session) => {
      await session.run('INSERT INTO guests VALUES (200)');
      await waits;
    });
    const failed = expect(stuck).rejects.toMatchObject({ code: 'DATABASE_CLOSED' });
    // It did not end in good order.
    expect(await stop()).toBe(false);
    expect(await guestsElsewhere()).toBe(4);
    end();
    await failed;
  });

  it('beside queries that hold every connection', async () => {
    const reads = [1, 2].map(() => core.database.read((session) => session.all(ENDLESS)));
    const ended = Promise.all(reads.map((read) => expect(read).rejects.toMatchObject({ code: 'DATABASE_CLOSED' })));
    expect(await stop()).toBe(true);
    await ended;
    expect(await guestsElsewhere()).toBe(4);
  });

  it('beside a verification whose store does not answer', async () => {
    const hanging = site.s3.faults.hold({ operation: 'ListObjectsV2' });
    const { last } = core.backups.status;
    operations.start('verify', (progress, signal) =>
      core.verification.verify(last?.name ?? '', 'full', progress, signal),
    );
    await hanging.reached;
    expect(await stop()).toBe(true);
    expect(await guestsElsewhere()).toBe(4);
    hanging.open();
  });
});
