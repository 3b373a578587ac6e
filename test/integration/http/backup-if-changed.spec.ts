import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { backupViewSchema, unchangedBackupViewSchema } from '../../../src/backup/backup.schemas.js';
import { DatabaseService } from '../../../src/database/database.service.js';
import type { ObjectStore } from '../../../src/object-store/object-store.js';
import { operationSchema } from '../../../src/operations/operation.schemas.js';
import { OperationsService } from '../../../src/operations/operations.service.js';
import { Repository } from '../../../src/repository/repository.js';
import { KEYS } from '../../support/admin-keys.js';
import { S3Double } from '../../support/s3/s3-double.js';
import { type Sent, TestService } from '../../support/service.js';
import { openBucket } from '../object-store/bucket.js';

let double: S3Double;
let store: ObjectStore;
let service: TestService;
beforeAll(async () => {
  double = await S3Double.start();
  store = openBucket(double);
  service = await TestService.start({ store });
});
afterAll(async () => {
  await service.close();
  await double.stop();
});

const send = (path: string, sent: Sent = {}) => service.send(path, { key: KEYS.operator, ...sent });
const ask = (body: unknown = { ifChanged: true }, headers: Record<string, string> = {}) =>
  send('/admin/backup', { method: 'POST', body, headers });

/** A backup that must be taken. */
async function taken(body: unknown = { ifChanged: true }): Promise<z.infer<typeof backupViewSchema>> {
  const answer = await ask(body);
  expect(answer).toMatchObject({ status: 201, body: { source: 'eider' } });
  expect(answer.body).not.toHaveProperty('unchanged');
  return backupViewSchema.parse(answer.body);
}

let nextUser = 1000;
const addUser = () => {
  const id = nextUser++;
  const insert = `INSERT INTO users SELECT * REPLACE (${id} AS id, 'user-${id}@example.org' AS email) FROM users ORDER BY id LIMIT 1`;
  return service.get(DatabaseService).write((session) => session.run(insert));
};
/** Requests that change something in the store. */
const writes = () => double.log.filter(({ method }) => method !== 'GET' && method !== 'HEAD');

describe('POST /admin/backup with `ifChanged`', () => {
  test('takes the first backup, and another one after a commit', async () => {
    const first = await taken();
    await addUser();
    expect(await taken()).toMatchObject({ trigger: 'manual', parent: first.name });
  });

  test('answers 200 with the newest backup as it is known now where nothing was committed since', async () => {
    const { name } = await taken({});
    await send(`/admin/backups/${name}`, { method: 'PATCH', body: { label: 'before the gala' } });
    await send(`/admin/backups/${name}/verify`, { method: 'POST' });
    const answer = await ask();
    expect(answer.status).toBe(200);
    const { unchanged, ...view } = unchangedBackupViewSchema.parse(answer.body);
    expect(unchanged).toBe(true);
    expect(view).toMatchObject({ name, label: 'before the gala', verified: { mode: 'full', ok: true } });
    expect((await send(`/admin/backups/${name}`)).body).toEqual(view);
  });

  test('writes nothing to the store and reads nothing of the database then', async () => {
    await taken({});
    const before = writes();
    expect((await ask()).status).toBe(200);
    expect(writes()).toEqual(before);
    const { body } = await send('/admin/operations');
    const { operations } = z.object({ operations: z.array(operationSchema) }).parse(body);
    expect(operations[0]).toMatchObject({ kind: 'backup', step: 'prepare', bytesDone: 0, bytesTotal: null });
  });

  test('and Prefer: respond-async answers 202 in either case, and the operation tells which it was', async () => {
    const result = async (): Promise<unknown> => {
      const answer = await ask({ ifChanged: true }, { prefer: 'respond-async' });
      expect(answer.status).toBe(202);
      await service.get(OperationsService).idle();
      const { body } = await send(`/admin/operations/${String(answer.body['id'])}`);
      const operation = operationSchema.parse(body);
      expect(operation).toMatchObject({ state: 'succeeded', error: null });
      return operation.result;
    };
    await addUser();
    const created = await result();
    expect(created).not.toHaveProperty('unchanged');
    const { name } = backupViewSchema.parse(created);
    expect(unchangedBackupViewSchema.parse(await result())).toMatchObject({ name });
  });

  test('names the newest backup in the line of the audit', async () => {
    const { name } = await taken({});
    await ask();
    const line = service.log.findLast((each) => each.startsWith('admin call'));
    expect(line).toContain('"status":200');
    expect(line).toContain(`"backup":"${name}"`);
  });

  test.each([
    ['a pack of the newest one is gone', ({ packs }) => packs[0]?.key ?? ''],
    ['the newest one is gone', ({ name }) => `${name}.json`],
  ] satisfies [string, (view: z.infer<typeof backupViewSchema>) => string][])(
    'takes one where %s, although nothing has changed',
    async (_, keyOf) => {
      const view = await taken({ full: true });
      await store.delete(keyOf(view));
      expect(await taken({ ifChanged: true, full: false })).not.toMatchObject({ name: view.name });
    },
  );

  test('takes a full one where the newest one failed its last check', async () => {
    const { name } = await taken({});
    const { notes } = service.get(Repository);
    const why = 'found on another host';
    const verified = { at: new Date().toISOString(), mode: 'full' as const, ok: false, why };
    await notes.put(name, { label: null, pinned: false, verified });
    expect(await taken({ ifChanged: true })).toMatchObject({ kind: 'full' });
  });

  test.each([[{ label: 'before the gala' }], [{ pinned: true }], [{ full: true }]])(
    'is refused together with %j: nothing may be taken that could have it',
    async (more) => {
      const before = writes();
      const answer = await ask({ ifChanged: true, ...more });
      expect(answer.status).toBe(400);
      expect(answer.body).toMatchObject({
        code: 'REQUEST_INVALID',
        errors: [{ path: 'ifChanged', message: expect.stringContaining('no backup is taken') }],
      });
      expect(writes()).toEqual(before);
    },
  );

  test('goes with a pin and a full one that are not asked for', async () => {
    await taken({});
    expect((await ask({ ifChanged: true, pinned: false, full: false })).status).toBe(200);
    expect(await taken({ ifChanged: false, label: 'before the gala' })).toMatchObject({ label: 'before the gala' });
  });
});
