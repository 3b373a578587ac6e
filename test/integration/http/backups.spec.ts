import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { RetentionService } from '../../../src/backup/retention.service.js';
import { anyBackupViewSchema, backupViewSchema, verifyReportSchema } from '../../../src/backup/backup.schemas.js';
import { operationSchema } from '../../../src/operations/operation.schemas.js';
import { OperationsService } from '../../../src/operations/operations.service.js';
import { APPLICATION } from '../../../src/runtime/application.js';
import { KEYS } from '../../support/admin-keys.js';
import { type Sent, TestService } from '../../support/service.js';

type View = z.infer<typeof backupViewSchema>;

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
});
afterAll(() => service.close());

const operator = (path: string, sent: Sent = {}) => service.send(path, { key: KEYS.operator, ...sent });
const admin = (path: string, sent: Sent = {}) => service.send(path, { key: KEYS.admin, ...sent });

async function taken(body?: unknown): Promise<View> {
  const answer = await operator('/admin/backup', { method: 'POST', body });
  expect(answer.status).toBe(201);
  return backupViewSchema.parse(answer.body);
}

/** A database file in the repository that Eider did not write. */
async function foreignFile(name: string): Promise<string> {
  const pack = (await taken()).packs[0]?.key ?? '';
  await copyFile(join(service.repository, pack), join(service.repository, name));
  return name;
}

describe('POST /admin/backup', () => {
  test('answers 201 with the whole manifest, also to a request without a body', async () => {
    const view = await taken();
    expect(view).toMatchObject({
      source: 'eider',
      kind: 'full',
      trigger: 'manual',
      environment: 'test',
      label: null,
      pinned: false,
      fork: false,
      compression: 'zstd',
      database: { name: 'hesocial-backup', duckdbVersion: 'v1.5.6', storageVersion: 68, schemaVersion: 1 },
      application: APPLICATION,
    });
    expect(view.name).toMatch(/^hesocial-manual-\d{8}-\d{6}(-\d+)?$/);
    expect(view.tables.find(({ name }) => name === 'events')).toEqual({
      schema: 'main',
      name: 'events',
      rows: 6,
      exact: true,
      hash: expect.stringMatching(/^\d+$/),
    });
    const files = await readdir(service.repository);
    expect(files).toEqual(expect.arrayContaining([`${view.name}.json`, `${view.name}.duckdb.zst`]));
  });

  test('keeps a label and a pin', async () => {
    const view = await taken({ label: '  before the gala ', pinned: true });
    expect(view).toMatchObject({ label: 'before the gala', pinned: true });
    expect((await operator(`/admin/backups/${view.name}`)).body).toEqual(view);
  });

  test.each([
    [{ label: '' }, 'label'],
    [{ pinned: 'yes' }, 'pinned'],
    [{ full: 1 }, 'full'],
    [{ lable: 'x' }, ''],
  ])('refuses %j and names the field', async (body, path) => {
    const answer = await operator('/admin/backup', { method: 'POST', body });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ code: 'REQUEST_INVALID', errors: [{ path }] });
  });

  test('refuses a label of more than 200 characters', async () => {
    const answer = await operator('/admin/backup', { method: 'POST', body: { label: 'x'.repeat(201) } });
    expect(answer.body).toMatchObject({ code: 'REQUEST_INVALID', errors: [{ path: 'label' }] });
  });

  test('with Prefer: respond-async answers 202 and an operation that ends with the backup', async () => {
    const answer = await operator('/admin/backup', { method: 'POST', headers: { prefer: 'respond-async' } });
    expect(answer.status).toBe(202);
    expect(operationSchema.parse(answer.body)).toMatchObject({ kind: 'backup', state: 'running' });
    expect(answer.headers.get('preference-applied')).toBe('respond-async');
    expect(answer.headers.get('vary')).toContain('Prefer');
    const location = answer.headers.get('location') ?? '';
    expect(location).toBe(`/api/admin/operations/${String(answer.body['id'])}`);
    await service.get(OperationsService).idle();
    const polled = await service.send(location.replace(/^\/api/, ''), { key: KEYS.viewer });
    const operation = operationSchema.parse(polled.body);
    expect(operation).toMatchObject({ state: 'succeeded', error: null, finishedAt: expect.any(String) });
    const view = backupViewSchema.parse(operation.result);
    expect(operation.bytesDone).toBe(operation.bytesTotal);
    expect((await operator(`/admin/backups/${view.name}`)).status).toBe(200);
  });

  test('lists the operation among the others, newest first', async () => {
    await taken();
    await taken();
    const { body } = await operator('/admin/operations');
    const { operations } = z.object({ operations: z.array(operationSchema) }).parse(body);
    expect(operations.slice(0, 2)).toMatchObject([{ kind: 'backup' }, { kind: 'backup' }]);
    const starts = operations.map(({ startedAt }) => startedAt);
    expect(starts).toEqual(starts.toSorted().reverse());
  });

  test('gives two backups of the same moment two names', async () => {
    const [one, two] = await Promise.all([taken(), taken()]);
    expect(one.name).not.toBe(two.name);
  });
});

describe('one backup', () => {
  test('is found by its name and by the name of its pack', async () => {
    const { name } = await taken();
    for (const text of [name, `${name}.duckdb.zst`, `${name}.json`]) {
      const answer = await service.send(`/admin/backups/${text}`, { key: KEYS.viewer });
      expect(anyBackupViewSchema.parse(answer.body)).toMatchObject({ name });
    }
  });

  test('that does not exist is BACKUP_NOT_FOUND on every route', async () => {
    const at = '/admin/backups/hesocial-manual-20200101-000000';
    const calls: [string, Sent][] = [
      [at, {}],
      [at, { method: 'PATCH', body: { pinned: true } }],
      [at, { method: 'DELETE' }],
      [`${at}/verify`, { method: 'POST' }],
      [`${at}/download`, {}],
      ['/admin/backups/..%2F..%2Fetc%2Fpasswd', {}],
    ];
    for (const [path, sent] of calls) {
      const answer = await admin(path, sent);
      expect({ path, status: answer.status }).toEqual({ path, status: 404 });
      expect(answer.body).toMatchObject({ code: 'BACKUP_NOT_FOUND' });
    }
  });

  test('takes a label and a pin later, also by the name of its pack', async () => {
    const { name } = await taken({ label: 'first' });
    const patched = await operator(`/admin/backups/${name}.duckdb.zst`, { method: 'PATCH', body: { pinned: true } });
    expect(backupViewSchema.parse(patched.body)).toMatchObject({ name, label: 'first', pinned: true });
    await operator(`/admin/backups/${name}`, { method: 'PATCH', body: { label: null } });
    expect((await operator(`/admin/backups/${name}`)).body).toMatchObject({ label: null, pinned: true });
  });

  test.each([[{}], [{ label: 7 }], [{ pinned: null }], [{ kind: 'full' }]])('is not changed by %j', async (body) => {
    const { name } = await taken();
    const answer = await operator(`/admin/backups/${name}`, { method: 'PATCH', body });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ code: 'REQUEST_INVALID' });
  });

  test('is deleted with its note, by name or by the name of its pack, and its room is free a day later', async () => {
    const [first, second] = [await taken(), await taken()];
    await taken();
    await operator(`/admin/backups/${first.name}`, { method: 'PATCH', body: { label: 'old' } });
    for (const text of [first.name, `${second.name}.duckdb.zst`]) {
      const answer = await admin(`/admin/backups/${text}`, { method: 'DELETE' });
      expect([answer.status, answer.body]).toEqual([204, undefined]);
    }
    const left = async () => {
      const files = await readdir(service.repository, { recursive: true });
      return files.filter((file) => file.includes(`${first.name}.`) || file.includes(`${second.name}.`));
    };
    expect((await left()).filter((file) => !/^pending|\.zst$/.test(file))).toEqual([]);
    service.clock.advance(25 * 3_600_000);
    await service.get(RetentionService).run();
    expect(await left()).toEqual([]);
  });

  test('that is the newest is not deleted', async () => {
    const { name } = await taken();
    const answer = await admin(`/admin/backups/${name}`, { method: 'DELETE' });
    expect(answer.status).toBe(409);
    expect(answer.body).toMatchObject({ code: 'BACKUP_IN_USE', detail: expect.stringContaining('newest') });
  });

  test('that is pinned is not deleted until the pin is taken off', async () => {
    const { name } = await taken({ pinned: true });
    await taken();
    const refused = await admin(`/admin/backups/${name}`, { method: 'DELETE' });
    expect(refused.body).toMatchObject({
      status: 409,
      code: 'BACKUP_IN_USE',
      detail: expect.stringContaining('pinned'),
    });
    await operator(`/admin/backups/${name}`, { method: 'PATCH', body: { pinned: false } });
    expect((await admin(`/admin/backups/${name}`, { method: 'DELETE' })).status).toBe(204);
  });
});

describe('a file that Eider did not write', () => {
  test('is shown, and has no label, no pin, no check and no deletion', async () => {
    const name = await foreignFile('by-hand.duckdb.zst');
    const shown = await service.send(`/admin/backups/${name}`, { key: KEYS.viewer });
    expect(anyBackupViewSchema.parse(shown.body)).toMatchObject({ source: 'foreign', name, encoding: 'zstd' });
    const calls: [string, Sent][] = [
      [`/admin/backups/${name}`, { method: 'PATCH', body: { label: 'mine' } }],
      [`/admin/backups/${name}`, { method: 'DELETE' }],
      [`/admin/backups/${name}/verify`, { method: 'POST' }],
    ];
    for (const [path, sent] of calls) {
      const answer = await admin(path, sent);
      expect(answer.status).toBe(400);
      expect(answer.body).toMatchObject({ code: 'REQUEST_INVALID', detail: expect.stringContaining('no manifest') });
    }
    expect(await readdir(service.repository)).toContain(name);
  });
});

describe('POST /admin/backups/:name/verify', () => {
  test('reads every byte of a whole backup', async () => {
    const view = await taken();
    const answer = await operator(`/admin/backups/${view.name}/verify`, { method: 'POST' });
    expect(verifyReportSchema.parse(answer.body)).toEqual({
      backup: view.name,
      mode: 'full',
      ok: true,
      bytes: view.database.size + (view.wal?.length ?? 0),
      damages: [],
    });
  });

  test.each([
    ['quick', 0],
    ['restore', 1],
  ])('checks as thoroughly as `mode` says: %s', async (mode, read) => {
    const view = await taken();
    const answer = await operator(`/admin/backups/${view.name}/verify?mode=${mode}`, { method: 'POST' });
    const bytes = read * view.bytes.read;
    expect(verifyReportSchema.parse(answer.body)).toEqual({ backup: view.name, mode, ok: true, bytes, damages: [] });
  });

  test('does not guess at another mode', async () => {
    const view = await taken();
    const answer = await operator(`/admin/backups/${view.name}/verify?mode=deep`, { method: 'POST' });
    expect(answer).toMatchObject({ status: 400, body: { code: 'REQUEST_INVALID', errors: [{ path: 'mode' }] } });
  });

  test('names the block of a flipped bit', async () => {
    const view = await taken();
    const pack = join(service.repository, view.packs[0]?.key ?? '');
    const bytes = await readFile(pack);
    bytes[bytes.length - 20]! ^= 1;
    await writeFile(pack, bytes);
    const answer = await operator(`/admin/backups/${view.name}.duckdb.zst/verify`, { method: 'POST' });
    const report = verifyReportSchema.parse(answer.body);
    expect(answer.status).toBe(200);
    expect(report).toMatchObject({ ok: false, damages: [{ key: view.packs[0]?.key, block: expect.any(Number) }] });
  });

  test('names a pack that is missing', async () => {
    const view = await taken();
    await rm(join(service.repository, view.packs[0]?.key ?? ''));
    const answer = await operator(`/admin/backups/${view.name}/verify`, {
      method: 'POST',
      headers: { prefer: 'respond-async' },
    });
    expect(answer.status).toBe(202);
    await service.get(OperationsService).idle();
    const { body } = await operator(`/admin/operations/${String(answer.body['id'])}`);
    expect(verifyReportSchema.parse(operationSchema.parse(body).result)).toMatchObject({ ok: false });
  });
});

describe('with BACKUP_ENABLED=false', () => {
  test('no backup is taken, and the answer says why', async () => {
    const off = await TestService.start({ env: { BACKUP_ENABLED: 'false' } });
    try {
      const answer = await off.send('/admin/backup', { key: KEYS.operator, method: 'POST' });
      expect(answer.status).toBe(409);
      expect(answer.body).toMatchObject({ code: 'BACKUP_DISABLED' });
      expect((await off.send('/admin/backups', { key: KEYS.viewer })).body).toEqual({ backups: [], next: null });
    } finally {
      await off.close();
    }
  });
});
