import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupScheduler } from '../../../src/backup/backup-scheduler.js';
import { backupConcern } from '../../../src/config/backup.config.js';
import { aManifest } from '../../support/manifests.js';
import { temporaryFolder, TestClock, TestCore } from '../../support/core.js';

// Failures are part of what is tested here.
Logger.overrideLogger(false);

const START = new Date('2026-01-01T00:00:00Z');
const MINUTE = 60_000;
const INTERVAL = 30 * MINUTE;

/** A clock whose sleepers wake when the test says so. */
class WakingClock extends TestClock {
  #wake: (() => void) | undefined;
  #onAsleep: (() => void) | undefined;
  sleepers = 0;

  override sleep(_ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        this.sleepers--;
        signal?.removeEventListener('abort', fail);
        resolve();
      };
      const fail = (): void => {
        this.#wake = undefined;
        this.sleepers--;
        reject(new Error('aborted'));
      };
      this.sleepers++;
      if (signal?.aborted === true) return fail();
      signal?.addEventListener('abort', fail, { once: true });
      this.#wake = wake;
      this.#onAsleep?.();
    });
  }

  /** Resolves when the schedule has done what was to do and sleeps again. */
  async asleep(): Promise<void> {
    if (this.#wake !== undefined) return;
    await new Promise<void>((resolve) => (this.#onAsleep = resolve));
  }

  /** Moves the clock by so many ms, lets the schedule look once, and waits until it sleeps again. */
  async look(ms: number): Promise<void> {
    await this.asleep();
    this.advance(ms);
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
    await this.asleep();
  }
}

describe('the times at which backups are due', () => {
  let folder: { path: string; remove: () => Promise<void> };
  let clock: WakingClock;
  let core: TestCore;
  let scheduler: BackupScheduler;

  beforeEach(async () => {
    folder = await temporaryFolder();
    clock = new WakingClock(START);
    core = new TestCore(folder.path, undefined, {}, clock);
    await core.open();
    await core.write('CREATE TABLE t (i INTEGER)');
    scheduler = withSettings({});
  });

  afterEach(async () => {
    await scheduler.stop();
    await core.close();
    await folder.remove();
  });

  const withSettings = (env: Record<string, string>) =>
    new BackupScheduler(backupConcern.parse(env), core.backups, core.retention, clock);
  const names = async () => (await core.repository.list()).backups.map(({ name }) => name);
  const noteNewest = (ageMs: number) =>
    core.backups.noteNewest(
      aManifest('hesocial-backup-20251231-000000', { createdAt: new Date(START.getTime() - ageMs).toISOString() }),
    );
  const dueIn = () => scheduler.nextDueAt().getTime() - clock.now().getTime();
  /** The store cannot be written to while a file stands where its folder should be. */
  const storeDown = () => writeFile(join(folder.path, 'repository'), '');

  it('is due at once where the repository holds nothing', () => {
    expect(dueIn()).toBeLessThanOrEqual(0);
  });

  it('goes by the newest backup in the repository, not by the start of the process', () => {
    noteNewest(10 * MINUTE);
    expect(dueIn()).toBe(20 * MINUTE);
    noteNewest(31 * MINUTE);
    expect(dueIn()).toBe(-MINUTE);
  });

  it('takes a backup when it is due, and not before', async () => {
    noteNewest(10 * MINUTE);
    scheduler.start();
    await clock.look(19 * MINUTE);
    expect(await names()).toEqual([]);
    await clock.look(MINUTE);
    expect(await names()).toEqual(['hesocial-backup-20260101-002000']);
    expect(core.backups.status.last).toMatchObject({ trigger: 'interval', createdAt: '2026-01-01T00:20:00.000Z' });
    expect(dueIn()).toBe(INTERVAL);
  });

  it('takes one at once after a restore, even after a crash: the newest backup is of what was replaced', async () => {
    const older = await core.backups.create({ trigger: 'manual' });
    await core.write('INSERT INTO t VALUES (1)');
    await core.backups.create({ trigger: 'manual' });
    expect(dueIn()).toBe(INTERVAL);
    await core.online.restore({ kind: 'eider', manifest: older.manifest });
    expect(dueIn()).toBe(0);
    await core.close();
    await core.open();
    const before = await names();
    scheduler.start();
    await clock.asleep();
    const [newest, ...rest] = await names();
    expect(rest).toEqual(before);
    expect(await core.repository.manifests.of(newest ?? '')).toMatchObject({ trigger: 'interval' });
    expect(dueIn()).toBe(INTERVAL);
  });

  it('tries again after failures with pauses that double, up to the interval', async () => {
    await storeDown();
    scheduler.start();
    await clock.asleep();
    const pauses: number[] = [];
    for (let failure = 1; failure <= 9; failure++) {
      expect(core.backups.status.failures).toBe(failure);
      pauses.push(dueIn());
      await clock.look(dueIn() - 1);
      expect(core.backups.status.failures).toBe(failure);
      await clock.look(1);
    }
    expect(pauses.map((ms) => ms / 1000)).toEqual([30, 60, 120, 240, 480, 960, 1800, 1800, 1800]);
  });

  it('notices at its next look that the machine slept over the time', async () => {
    scheduler.start();
    await clock.asleep();
    await core.write('INSERT INTO t VALUES (1)');
    await clock.look(3 * 24 * 60 * MINUTE);
    expect(await names()).toHaveLength(2);
  });

  it('is not put off when the clock is set back after a backup, a look or a failure', async () => {
    scheduler.start();
    await clock.asleep();
    await clock.look(INTERVAL);
    await core.write('INSERT INTO t VALUES (1)');
    await clock.look(-24 * 60 * MINUTE);
    expect(await names()).toHaveLength(2);
    await scheduler.stop();
    await rm(join(folder.path, 'repository'), { recursive: true });
    await storeDown();
    await core.write('INSERT INTO t VALUES (2)');
    scheduler.start();
    await clock.look(INTERVAL);
    expect(core.backups.status.failures).toBe(1);
    await clock.look(-24 * 60 * MINUTE);
    expect(core.backups.status.failures).toBe(2);
    expect(dueIn()).toBe(60_000);
  });

  it('removes what has expired after a backup', async () => {
    const old = await core.backups.create({ trigger: 'manual' });
    clock.advance(31 * 24 * 60 * MINUTE);
    await core.write('INSERT INTO t VALUES (1)');
    scheduler.start();
    await clock.asleep();
    expect(await names()).not.toContain(old.manifest.name);
    expect(await names()).toHaveLength(1);
  });

  it.each([{ BACKUP_ENABLED: 'false' }, { R2_BACKUP_INTERVAL_MINUTES: '0' }])('does not run with %j', async (env) => {
    scheduler = withSettings(env);
    scheduler.start();
    await scheduler.stop();
    expect(await names()).toEqual([]);
    expect(core.backups.status.failures).toBe(0);
  });

  it('starts and stops once, however often it is told, and can be started again', async () => {
    scheduler.start();
    scheduler.start();
    await clock.asleep();
    expect(await names()).toHaveLength(1);
    // Behind the retention of whoever took the backup: by then a second schedule would sleep as well.
    await core.retention.run({ dryRun: true });
    await Promise.all([scheduler.stop(), scheduler.stop()]);
    expect(clock.sleepers).toBe(0);
    await core.write('INSERT INTO t VALUES (1)');
    clock.advance(INTERVAL);
    expect(await names()).toHaveLength(1);
    await core.backups.idle();
    scheduler.start();
    await clock.look(0);
    expect(await names()).toHaveLength(2);
  });
});
