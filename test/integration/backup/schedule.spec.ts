import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BackupScheduler } from '../../../src/backup/backup-scheduler.js';
import { closeDatabase } from '../../../src/backup/close-database.js';
import { backupConcern } from '../../../src/config/backup.config.js';
import { TestClock, type TestCore } from '../../support/core.js';
import { backUp, Site } from '../../support/site.js';

const MINUTE = 60_000;

/** A clock whose sleepers wake when time is let pass, and that tells when somebody sleeps again. */
class SteppedClock extends TestClock {
  #sleepers: { until: number; wake: () => void }[] = [];
  #watchers: (() => void)[] = [];

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(new Error('aborted'));
      const abort = (): void => reject(new Error('aborted'));
      signal?.addEventListener('abort', abort, { once: true });
      const wake = (): void => {
        signal?.removeEventListener('abort', abort);
        resolve();
      };
      this.#sleepers.push({ until: this.now().getTime() + ms, wake });
      for (const watch of this.#watchers.splice(0)) watch();
    });
  }

  /** Resolves when somebody sleeps. */
  async quiet(): Promise<void> {
    if (this.#sleepers.length === 0) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  /** Lets time pass; resolves when whoever woke has done its work and sleeps again. */
  async pass(ms: number): Promise<void> {
    this.advance(ms);
    const now = this.now().getTime();
    const due = this.#sleepers.filter(({ until }) => until <= now);
    this.#sleepers = this.#sleepers.filter(({ until }) => until > now);
    for (const { wake } of due) wake();
    await this.quiet();
  }
}

let site: Site;
let clock: SteppedClock;
let core: TestCore;
let scheduler: BackupScheduler;

const schedule = (of: TestCore): BackupScheduler =>
  new BackupScheduler(
    backupConcern.parse({ NODE_ENV: 'test', R2_BACKUP_INTERVAL_MINUTES: '30' }),
    of.backups,
    of.retention,
    clock,
  );
const backups = async (): Promise<number> => (await core.repository.list()).backups.length;

describe('backups on an interval', () => {
  beforeEach(async () => {
    site = await Site.open('bucket');
    clock = new SteppedClock();
    core = site.core('first', {}, { clock });
    await core.boot();
    await core.write('CREATE TABLE guests (id INTEGER)');
    scheduler = schedule(core);
  });
  afterEach(async () => {
    await scheduler.stop();
    await site.remove();
  });

  const start = async (): Promise<void> => {
    scheduler.start();
    await clock.quiet();
  };

  it('begin at once where there is none', async () => {
    await start();
    expect(await backups()).toBe(1);
    expect(scheduler.nextDueAt()).toEqual(new Date(clock.now().getTime() + 30 * MINUTE));
  });

  it('are due by the newest one in the repository, not by the start of the process', async () => {
    await backUp(core);
    await core.write('INSERT INTO guests VALUES (1)');
    await closeDatabase(core, false);
    clock.advance(20 * MINUTE);
    const again = site.core('first', {}, { clock });
    const { newest } = await again.boot();
    if (newest !== undefined) again.backups.noteNewest(newest);
    scheduler = schedule(again);
    await start();
    await clock.pass(9 * MINUTE);
    expect(await backups()).toBe(1);
    await clock.pass(MINUTE);
    expect(await backups()).toBe(2);
  });

  it('upload nothing while nothing changes', async () => {
    await start();
    const puts = site.s3.count('PutObject');
    for (let round = 0; round < 4; round++) await clock.pass(30 * MINUTE);
    expect(site.s3.count('PutObject')).toBe(puts);
    expect(await backups()).toBe(1);
    await core.write('INSERT INTO guests VALUES (1)');
    await clock.pass(30 * MINUTE);
    expect(await backups()).toBe(2);
  });

  it('cost no request at all between two of them', async () => {
    await start();
    const requests = site.s3.count();
    await core.write('INSERT INTO guests VALUES (1)');
    for (let minute = 1; minute < 30; minute++) await clock.pass(MINUTE);
    expect(site.s3.count()).toBe(requests);
  });

  it('are tried again with growing pauses after a failure, which is told and leaves nothing listed', async () => {
    site.s3.faults.failAlways(500, { operation: 'PutObject', key: /\.duckdb\.zst$/ });
    await start();
    const began = clock.now().getTime();
    expect(core.backups.status).toMatchObject({ failures: 1, lastError: { code: 'STORE_UNAVAILABLE' }, last: null });
    expect(scheduler.nextDueAt()).toEqual(new Date(began + 30_000));
    await clock.pass(15_000);
    expect(core.backups.status.failures).toBe(1);
    await clock.pass(15_000);
    expect(core.backups.status.failures).toBe(2);
    expect(scheduler.nextDueAt()).toEqual(new Date(began + 30_000 + MINUTE));
    expect(await core.catalog.page()).toEqual({ backups: [], next: null });
    site.s3.faults.clear();
    await clock.pass(MINUTE);
    expect(core.backups.status).toMatchObject({ failures: 0, lastError: null, last: { trigger: 'interval' } });
    expect(await backups()).toBe(1);
  });

  it('are not put off by a backup that a wrong clock dated into the future', async () => {
    await start();
    clock.advance(365 * 24 * 60 * MINUTE);
    await core.write('INSERT INTO guests VALUES (1)');
    await backUp(core);
    clock.advance(-365 * 24 * 60 * MINUTE);
    await core.write('INSERT INTO guests VALUES (2)');
    await clock.pass(30 * MINUTE);
    expect(await backups()).toBe(3);
  });

  it('wait for the one under way when they are stopped', async () => {
    const gate = site.s3.faults.hold({ operation: 'PutObject', key: /\.duckdb\.zst$/ });
    scheduler.start();
    await gate.reached;
    const stopping = scheduler.stop();
    gate.open();
    await stopping;
    expect(await backups()).toBe(1);
  });
});

describe('backups asked for at the same time', () => {
  beforeEach(async () => {
    site = await Site.open('bucket');
    core = await site.populated();
  });
  afterEach(async () => site.remove());

  it('are taken one after the other', async () => {
    const gate = site.s3.faults.hold({ operation: 'PutObject', key: /\.duckdb\.zst$/ });
    const first = backUp(core);
    await gate.reached;
    const second = backUp(core, { trigger: 'manual' });
    expect(core.backups.status.running).toBe(true);
    expect((await core.repository.list()).pending.size).toBe(1);
    gate.open();
    expect([(await first).name, (await second).name]).toEqual([
      'hesocial-backup-20260101-000000',
      'hesocial-manual-20260101-000000-2',
    ]);
    expect(core.backups.status.running).toBe(false);
  });

  it('upload nothing for the second when the first has it all', async () => {
    const [first, second] = await Promise.all([
      core.backups.create({ trigger: 'interval', onlyIfChanged: true }),
      core.backups.create({ trigger: 'interval', onlyIfChanged: true }),
    ]);
    expect(first.created).toBe(true);
    expect(second).toMatchObject({ created: false, reason: 'unchanged' });
  });

  it('are refused where BACKUP_ENABLED is false', async () => {
    const off = site.core('off', { BACKUP_ENABLED: 'false' });
    await off.open();
    const requests = site.s3.count();
    await expect(backUp(off)).rejects.toMatchObject({ code: 'BACKUP_DISABLED' });
    expect(site.s3.count()).toBe(requests);
  });
});
