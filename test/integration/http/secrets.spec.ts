import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { OperationsService } from '../../../src/operations/operations.service.js';
import { KEYS } from '../../support/admin-keys.js';
import { S3Double } from '../../support/s3/s3-double.js';
import { TestService } from '../../support/service.js';

describe('secrets', () => {
  let double: S3Double;
  let service: TestService;
  beforeAll(async () => {
    double = await S3Double.start({ rules: { writesPerSecondAndKey: 1000 } });
    service = await TestService.start({
      env: {
        R2_SYNC_ENABLED: 'true',
        R2_ENDPOINT: double.endpoint,
        R2_BUCKET_NAME: double.bucket,
        R2_ACCESS_KEY_ID: double.credentials.accessKeyId,
        R2_SECRET_ACCESS_KEY: double.credentials.secretAccessKey,
        R2_MAX_ATTEMPTS: '1',
      },
    });
  });
  afterAll(async () => {
    await service.close();
    await double.stop();
  });

  test('are in no answer and in no line of the log, whatever goes wrong', async () => {
    const key = KEYS.admin;
    const everything = async (): Promise<void> => {
      await service.send('/admin/backup', { method: 'POST', key });
      await service.send('/admin/backup', { method: 'POST', key, headers: { prefer: 'respond-async' } });
      await service.get(OperationsService).idle();
      for (const path of ['/admin/backups', '/admin/operations', '/openapi.json']) await service.send(path, { key });
      for (const name of ['database', 'r2-sync', 'full', 'live', 'ready'])
        await service.send(`/health/${name}`, { key });
      await service.send('/admin/restore', { method: 'POST', key, body: { latest: true } });
      await service.send('/admin/restore', { method: 'POST', key, body: { latest: true, confirm: 'hesocial-backup' } });
      await service.send('/admin/backups', { key: `${KEYS.viewer}-wrong` });
      service.clock.advance(600_000);
    };
    await everything();
    double.faults.failAlways(403, {}, 'SignatureDoesNotMatch');
    await everything();
    double.faults.clear();
    double.faults.failAlways(403, {}, 'InvalidAccessKeyId');
    await everything();
    double.faults.clear();
    await double.goDown();
    await everything();
    await double.comeBack();
    expect(service.log.length).toBeGreaterThan(20);
    expect(service.bodies.length).toBeGreaterThan(40);
    const told = [...service.log, ...service.bodies].join('\n');
    expect(told).toContain('STORE_DENIED');
    expect(told).toContain('STORE_UNAVAILABLE');
    for (const secret of [
      double.credentials.accessKeyId,
      double.credentials.secretAccessKey,
      ...Object.values(KEYS),
      ...Object.values(KEYS).map((each) => createHash('sha256').update(each).digest('hex')),
    ]) {
      expect(told).not.toContain(secret);
    }
  });
});
