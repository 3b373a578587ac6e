import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { temporaryFolder } from '../../support/core.js';
import { KEYS } from '../../support/admin-keys.js';
import { FIRST_KEY, keys, SECOND_KEY } from '../../support/encryption.js';
import { S3Double } from '../../support/s3/s3-double.js';
import { TestService } from '../../support/service.js';
import { openBucket } from '../object-store/bucket.js';
import { asViewer } from './health-look.js';

let double: S3Double;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let service: TestService;

const start = (env: Record<string, string>): Promise<TestService> =>
  TestService.start({ env, folder: folder.path, store: openBucket(double, { maxAttempts: 1 }) });
const admin = (path: string, body?: unknown, method = 'POST') => service.send(path, { key: KEYS.admin, method, body });

/** A service with one encrypted backup. */
beforeEach(async () => {
  double = await S3Double.start();
  folder = await temporaryFolder();
  service = await start(keys(FIRST_KEY));
});
afterEach(async () => {
  await service.close();
  await double.stop();
  await folder.remove();
});

describe('a service with a key', () => {
  test('says in a backup and in health which one, and its key is in no answer and no line of the log', async () => {
    const taken = await admin('/admin/backup', {});
    expect(taken).toMatchObject({ status: 201, body: { encryption: { keyId: FIRST_KEY.id } } });
    const name = String(taken.body['name']);
    expect(await admin(`/admin/backups/${name}/verify`)).toMatchObject({ status: 200, body: { ok: true } });
    const { body } = await asViewer(service, 'r2-sync');
    expect(body.details['r2-sync']).toMatchObject({ encryptionKeyId: FIRST_KEY.id });
    const told = [...service.log, ...service.bodies].join('\n');
    expect(told).toContain(FIRST_KEY.id);
    expect(told).not.toContain(FIRST_KEY.toBase64().slice(0, -1));
    expect(told).not.toContain(Buffer.from(FIRST_KEY.bytes).toString('hex'));
  });
});

describe('a service whose key was lost', () => {
  test.each([
    ['for another', keys(SECOND_KEY)],
    ['for none', {}],
  ])('%s goes on, backs nothing up, and says so', async (_, env) => {
    const { name } = (await admin('/admin/backup', {})).body;
    await service.close();
    // The start that could have refused does not see the repository.
    await double.goDown();
    service = await start(env);
    await double.comeBack();
    const objects = double.state.keys();
    const refused = { status: 409, body: { code: 'ENCRYPTION_KEY_MISSING' } };
    expect(await admin('/admin/backup', { full: true })).toMatchObject(refused);
    expect(await admin(`/admin/backups/${String(name)}/verify`)).toMatchObject(refused);
    expect(await admin('/admin/restore', { latest: true, dryRun: true })).toMatchObject(refused);
    expect(await admin('/admin/restore', { latest: true, confirm: 'hesocial-backup' })).toMatchObject(refused);
    expect(await admin(`/admin/backups/${String(name)}/download`, undefined, 'GET')).toMatchObject(refused);
    expect(double.state.keys()).toEqual(objects);
    const sync = await asViewer(service, 'r2-sync');
    expect(sync.status).toBe(503);
    expect(sync.body.details['r2-sync']?.['findings']).toContainEqual(
      expect.stringMatching(new RegExp(`^nothing is backed up: .*${FIRST_KEY.id}`)),
    );
    expect((await asViewer(service, 'ready')).status).toBe(200);
    expect((await asViewer(service, 'full')).body.status).toBe('degraded');
  });
});
