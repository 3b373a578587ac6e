import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { BackupService } from '../../../src/backup/backup.service.js';
import { GOOD_FOR_MS } from '../../../src/health/store-probe.js';
import { KEYS } from '../../support/admin-keys.js';
import { S3Double } from '../../support/s3/s3-double.js';
import { TestService } from '../../support/service.js';
import { openBucket } from '../object-store/bucket.js';
import { asViewer, look } from './health-look.js';

const takeBackup = (service: TestService) => service.get(BackupService).create({ trigger: 'manual' });

describe('a bucket', () => {
  let double: S3Double;
  let service: TestService;
  beforeEach(async () => {
    double = await S3Double.start();
    service = await TestService.start({ store: openBucket(double, { maxAttempts: 1 }) });
  });
  afterEach(async () => {
    await service.close();
    await double.stop();
  });

  test('is tried once in five minutes, however often health is asked for', async () => {
    for (let poll = 0; poll < 200; poll++) {
      await look(service, poll % 2 === 0 ? 'full' : 'r2-sync', poll % 10 === 0 ? KEYS.viewer : undefined);
      // The rest of the five minutes is for the machine's own time, which passes too.
      service.clock.advance(GOOD_FOR_MS / 300);
    }
    const probe = [
      ['PutObject', 'backups/doctor/writable'],
      ['DeleteObject', 'backups/doctor/writable'],
    ];
    const probes = () =>
      double.log.filter(({ key }) => key.startsWith('backups/doctor/')).map(({ operation, key }) => [operation, key]);
    expect(probes()).toEqual(probe);
    const before = double.count();
    service.clock.advance(GOOD_FOR_MS);
    await look(service, 'r2-sync');
    expect(double.count()).toBe(before + 2);
    expect(probes()).toEqual([...probe, ...probe]);
  });

  test('is tried once for requests that come at once', async () => {
    await Promise.all(Array.from({ length: 50 }, () => look(service, 'full')));
    expect(double.count('PutObject')).toBe(1);
  });

  test('is left alone by /live, /ready and /database', async () => {
    const before = double.count();
    for (const part of ['live', 'ready', 'database'] as const) {
      for (let poll = 0; poll < 20; poll++) await asViewer(service, part);
    }
    expect(double.count()).toBe(before);
  });

  test('that is down takes r2-sync down; the service is degraded and ready', async () => {
    await double.goDown();
    const sync = await asViewer(service, 'r2-sync');
    expect(sync.status).toBe(503);
    expect(sync.body).toMatchObject({
      status: 'error',
      error: { 'r2-sync': { status: 'down', probe: { writable: false, code: 'STORE_UNAVAILABLE' } } },
    });
    const anybody = await look(service, 'r2-sync');
    expect([anybody.status, anybody.body.details]).toEqual([503, { 'r2-sync': { status: 'down' } }]);
    const full = await asViewer(service, 'full');
    expect([full.status, full.body.status]).toEqual([200, 'degraded']);
    expect(full.body.details).toMatchObject({
      database: { status: 'up' },
      'r2-sync': { status: 'degraded', findings: [expect.stringContaining('local data is safe')] },
    });
    expect((await look(service, 'ready')).status).toBe(200);
    expect((await look(service, 'live')).status).toBe(200);
    expect((await service.send('/events')).status).toBe(200);
  });

  test('that is down is told to whoever asks for backups, and when to come again', async () => {
    await double.goDown();
    const calls: [string, string][] = [
      ['GET', '/admin/backups'],
      ['POST', '/admin/backup'],
      ['DELETE', '/admin/backups/any'],
    ];
    for (const [method, path] of calls) {
      const answer = await service.send(path, { method, key: KEYS.admin });
      expect(answer.body).toMatchObject({ status: 503, code: 'STORE_UNAVAILABLE' });
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    }
  });

  test('that comes back is seen half a minute later', async () => {
    await double.goDown();
    expect((await look(service, 'r2-sync')).status).toBe(503);
    await double.comeBack();
    expect((await look(service, 'r2-sync')).status).toBe(503);
    service.clock.advance(30_000);
    expect((await look(service, 'r2-sync')).status).toBe(200);
  });

  test('without conditional writes degrades, since two writers cannot be kept apart', async () => {
    double.state.rules.conditionalWrites = 'not-implemented';
    await takeBackup(service);
    const { status, body } = await asViewer(service, 'r2-sync');
    expect([status, body.status]).toEqual([200, 'degraded']);
    expect(body.details['r2-sync']).toMatchObject({
      conditionalWrites: 'no',
      findings: [expect.stringContaining('conditional writes')],
    });
  });

  test('to which a backup failed degrades until one succeeds, and the last error is shown', async () => {
    double.faults.failAlways(507, { operation: 'PutObject', key: /\.json$/ });
    await expect(takeBackup(service)).rejects.toThrow();
    double.faults.clear();
    const { status, body } = await asViewer(service, 'r2-sync');
    expect([status, body.status]).toEqual([200, 'degraded']);
    expect(body.details['r2-sync']).toMatchObject({
      failures: 1,
      lastError: { code: 'STORE_NO_SPACE', at: expect.any(String) },
      findings: ['1 backups in a row failed, the last with STORE_NO_SPACE'],
    });
    await takeBackup(service);
    expect((await asViewer(service, 'r2-sync')).body).toMatchObject({
      status: 'ok',
      details: { 'r2-sync': { failures: 0, lastError: null } },
    });
  });
});
