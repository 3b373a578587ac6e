import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readdir, stat } from 'node:fs/promises';
import { BackupService } from '../../../src/backup/backup.service.js';
import { DatabaseService } from '../../../src/database/database.service.js';
import { OperationsService } from '../../../src/operations/operations.service.js';
import { operationSchema } from '../../../src/operations/operation.schemas.js';
import { restorePlanSchema, restoreReportSchema } from '../../../src/restore/restore.schemas.js';
import { KEYS } from '../../support/admin-keys.js';
import { S3Double } from '../../support/s3/s3-double.js';
import { TestService } from '../../support/service.js';
import { openBucket } from '../object-store/bucket.js';

const CONFIRM = 'hesocial-backup';

let double: S3Double;
let service: TestService;
beforeAll(async () => {
  double = await S3Double.start();
  service = await TestService.start({ store: openBucket(double, { maxAttempts: 1 }) });
});
afterAll(async () => {
  double.faults.clear();
  await service.close();
  await double.stop();
});

const restore = (body: unknown, headers: Record<string, string> = {}) =>
  service.send('/admin/restore', { key: KEYS.admin, method: 'POST', body, headers });
const taken = async () => (await service.get(BackupService).create({ trigger: 'manual' })).manifest;
const register = (userId: number, eventId = 1) =>
  service.send(`/events/${eventId}/registrations`, { method: 'POST', body: { userId } });
const write = (sql: string) => service.get(DatabaseService).write((session) => session.run(sql));
const people = async () => {
  const row = await service
    .get(DatabaseService)
    .read((session) => session.first<{ n: bigint }>('SELECT count(*) AS n FROM users'));
  return Number(row?.n);
};
const addUser = (id: number) =>
  write(
    `INSERT INTO users SELECT * REPLACE (${id} AS id, 'user-${id}@example.org' AS email) FROM users ORDER BY id LIMIT 1`,
  );
/** Files that a restore or a download works on. */
const workingCopies = async () => (await readdir(service.folder)).filter((name) => name.includes('.restoring-'));

let nextUser = 1000;
/** A row that is in no backup yet. */
const change = () => addUser(nextUser++);
/** As `change`, and in the file: not every block of a backup is on the disk then. */
async function changeFile(): Promise<void> {
  await change();
  expect(await service.get(DatabaseService).checkpoint({ timeoutMs: 2_000 })).toBe(true);
}
const PACKS = /\.(duckdb|blocks)\.zst$/;

describe('POST /admin/restore', () => {
  test.each([[undefined], ['hesocial'], [''], ['HESOCIAL-BACKUP']])(
    'with `confirm` %j is not confirmed, and the answer names what to send',
    async (confirm) => {
      await taken();
      const answer = await restore({ latest: true, confirm });
      expect(answer.status).toBe(400);
      expect(answer.body).toMatchObject({
        code: 'RESTORE_NOT_CONFIRMED',
        detail: `This replaces the database: send "confirm": "${CONFIRM}" to go on.`,
        details: { confirm: CONFIRM },
      });
    },
  );

  test.each([
    [{ confirm: CONFIRM }],
    [{ latest: true, backup: 'x', confirm: CONFIRM }],
    [{ latest: false, confirm: CONFIRM }],
    [{ latest: true, confirm: CONFIRM, dryrun: true }],
    [{ backup: '', confirm: CONFIRM }],
  ])('refuses %j', async (body) => {
    const answer = await restore(body);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ code: 'REQUEST_INVALID' });
  });

  test('of an unknown name is BACKUP_NOT_FOUND', async () => {
    const answer = await restore({ backup: 'hesocial-manual-20200101-000000', confirm: CONFIRM });
    expect(answer.body).toMatchObject({ status: 404, code: 'BACKUP_NOT_FOUND' });
  });

  test('with dryRun tells the plan, needs no confirmation and changes nothing', async () => {
    const { name, database, bytes } = await taken();
    await changeFile();
    const before = await people();
    const answer = await restore({ backup: name, dryRun: true });
    expect(answer.status).toBe(200);
    const plan = restorePlanSchema.parse(answer.body);
    expect(plan).toMatchObject({
      backup: name,
      source: 'eider',
      continuesLineage: true,
      databaseBytes: database.size,
      blocks: database.blocks + 1,
    });
    expect(plan.localBlocks).toBeGreaterThan(0);
    expect(plan.localBlocks).toBeLessThan(database.blocks);
    expect(plan.bytesToFetch).toBeLessThan(bytes.stored);
    expect(await people()).toBe(before);
  });

  test('by name brings the data back, keeps what was replaced, and registrations work again', async () => {
    const { name } = await taken();
    const before = await people();
    await change();
    const answer = await restore({ backup: name, confirm: CONFIRM });
    expect(answer.status).toBe(200);
    const report = restoreReportSchema.parse(answer.body);
    expect(report).toMatchObject({ backup: name, database: service.database });
    expect(await people()).toBe(before);
    const { body } = await service.send('/admin/backups?trigger=pre-restore&limit=1', { key: KEYS.viewer });
    expect(body).toMatchObject({ backups: [{ trigger: 'pre-restore', label: null }] });
    expect((await stat(report.restorePoint ?? '')).isFile()).toBe(true);
    await addUser(500);
    expect((await register(500)).status).toBe(201);
    expect((await service.send('/health/ready')).status).toBe(200);
    expect(await workingCopies()).toEqual([]);
  });

  test('with force takes no backup of what is replaced', async () => {
    const { name } = await taken();
    await change();
    // Of a hold alone.
    const puts = () => double.log.filter(({ method, key }) => method === 'PUT' && !key.includes('/holds/')).length;
    const before = puts();
    expect((await restore({ backup: `${name}.duckdb.zst`, force: true, confirm: `${CONFIRM}.duckdb` })).status).toBe(
      200,
    );
    expect(puts()).toBe(before);
  });

  test('of the latest restores the newest backup', async () => {
    await taken();
    await change();
    const { name } = await taken();
    const before = await people();
    await change();
    const answer = await restore({ latest: true, force: true, confirm: CONFIRM });
    expect(restoreReportSchema.parse(answer.body).backup).toBe(name);
    expect(await people()).toBe(before);
  });

  test('with Prefer: respond-async answers 202; meanwhile another is refused, and reads and writes go on', async () => {
    const { name } = await taken();
    await changeFile();
    const fetching = double.faults.hold({ method: 'GET', key: PACKS });
    const answer = await restore({ backup: name, confirm: CONFIRM }, { prefer: 'respond-async' });
    expect(answer.status).toBe(202);
    await fetching.reached;
    const second = await restore({ backup: name, confirm: CONFIRM });
    expect(second.body).toMatchObject({ status: 409, code: 'RESTORE_IN_PROGRESS' });
    expect((await service.send('/events')).status).toBe(200);
    await change();
    const at = `/admin/operations/${String(answer.body['id'])}`;
    expect((await service.send(at, { key: KEYS.viewer })).body).toMatchObject({ state: 'running', step: 'fetch' });
    fetching.open();
    await service.get(OperationsService).idle();
    const operation = operationSchema.parse((await service.send(at, { key: KEYS.viewer })).body);
    expect(operation).toMatchObject({ kind: 'restore', state: 'succeeded' });
    expect(restoreReportSchema.parse(operation.result)).toMatchObject({ backup: name });
  });

  test('while the database is saved before the swap, writes are told to come again', async () => {
    const { name } = await taken();
    await change();
    const saving = double.faults.hold({ method: 'PUT', key: /\/hesocial-[^/]*\.json$/ });
    const answer = await restore({ backup: name, confirm: CONFIRM }, { prefer: 'respond-async' });
    await saving.reached;
    const refused = await register(2, 2);
    expect(refused.body).toMatchObject({ status: 503, code: 'DATABASE_READ_ONLY' });
    expect(refused.headers.get('retry-after')).toBe('5');
    const health = await service.send('/health/database', { key: KEYS.viewer });
    expect(health.body).toMatchObject({
      status: 'degraded',
      details: { database: { writesPaused: 'a restore is in progress' } },
    });
    saving.open();
    await service.get(OperationsService).idle();
    expect(answer.status).toBe(202);
    expect(await service.send('/health/database')).toMatchObject({ body: { status: 'ok' } });
  });

  test('that fails tells the problem in its operation, and the database stays', async () => {
    const { name } = await taken();
    await changeFile();
    const before = await people();
    double.faults.failAlways(403, { method: 'GET', key: PACKS });
    const answer = await restore({ backup: name, confirm: CONFIRM }, { prefer: 'respond-async' });
    await service.get(OperationsService).idle();
    double.faults.clear();
    const at = `/admin/operations/${String(answer.body['id'])}`;
    const { body } = await service.send(at, { key: KEYS.viewer });
    expect(body).toMatchObject({ state: 'failed', error: { code: 'STORE_DENIED', status: 502 } });
    expect(await people()).toBe(before);
    expect(await workingCopies()).toEqual([]);
  });
});
