import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupService } from '../../../src/backup/backup.service.js';
import { DatabaseService } from '../../../src/database/database.service.js';
import { DatabaseHealth } from '../../../src/health/database-health.js';
import { RepositoryHealth } from '../../../src/health/repository-health.js';
import { RequestGate } from '../../../src/http/request-gate.js';
import { encodeManifest, manifestSchema } from '../../../src/repository/manifest.js';
import { TestService } from '../../support/service.js';
import { asViewer, look } from './health-look.js';

const takeBackup = (service: TestService) => service.get(BackupService).create({ trigger: 'manual' });
const addSchema = (service: TestService, name: string) =>
  service.get(DatabaseService).write((session) => session.run(`CREATE TABLE ${name} (id INTEGER)`));

describe('a healthy service', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await TestService.start();
    await takeBackup(service);
  });
  afterAll(() => service.close());

  test.each([
    ['database', ['database']],
    ['r2-sync', ['r2-sync']],
    ['full', ['database', 'r2-sync', 'process']],
    ['live', ['process']],
    ['ready', ['service']],
  ] as const)('tells everybody the states of /health/%s, and nothing else', async (part, names) => {
    const { status, body } = await look(service, part);
    const details = Object.fromEntries(names.map((name) => [name, { status: 'up' }]));
    expect(status).toBe(200);
    expect(body).toEqual({ status: 'ok', info: details, error: {}, details });
  });

  test('tells no details to a key that nobody has', async () => {
    expect((await look(service, 'full', 'wrong')).body).toEqual((await look(service, 'full')).body);
  });

  test('shows viewers the database: latencies, sizes, free disk', async () => {
    const { body } = await asViewer(service, 'database');
    expect(body.details['database']).toEqual({
      status: 'up',
      findings: [],
      open: true,
      fatal: null,
      path: service.database,
      connectionMs: expect.any(Number),
      queryMs: expect.any(Number),
      queryError: null,
      bytes: expect.any(Number),
      walBytes: expect.any(Number),
      commitsInWal: expect.any(Number),
      checkpointObstacle: null,
      diskFreeBytes: expect.any(Number),
      writesPaused: null,
      writesInFlight: 0,
    });
  });

  test('shows viewers the store, the last backup and what is not backed up yet', async () => {
    const { manifest } = await takeBackup(service);
    const { body } = await asViewer(service, 'r2-sync');
    expect(body.details['r2-sync']).toMatchObject({
      enabled: true,
      probe: { writable: true, code: null, error: null, latencyMs: expect.any(Number) },
      conditionalWrites: 'yes',
      last: { name: manifest.name, createdAt: manifest.createdAt, trigger: 'manual', stored: manifest.bytes.stored },
      lastBackupAgeSeconds: expect.any(Number),
      intervalSeconds: 0,
      nextBackupAt: null,
      notBackedUp: { changes: false },
      lastError: null,
      replacedBy: null,
      conflict: null,
    });
    await addSchema(service, 'not_saved_yet');
    const later = (await asViewer(service, 'r2-sync')).body;
    expect(later.details['r2-sync']).toMatchObject({ status: 'up', notBackedUp: { changes: true, commitsInWal: 1 } });
  });

  test('shows viewers process, host and what the start decided', async () => {
    const { body } = await asViewer(service, 'full');
    expect(body.details['process']).toMatchObject({
      application: { name: 'eider' },
      pid: process.pid,
      memory: { rssBytes: expect.any(Number) },
      host: { memoryFreeBytes: expect.any(Number) },
      start: { action: 'create', restored: null },
    });
  });
});

describe('backups', () => {
  let service: TestService | undefined;
  afterEach(() => service?.close());

  test('that are turned off degrade, and the store is left alone', async () => {
    service = await TestService.start({ env: { BACKUP_ENABLED: 'false' } });
    const { status, body } = await asViewer(service, 'r2-sync');
    expect([status, body.status]).toEqual([200, 'degraded']);
    expect(body.details['r2-sync']).toMatchObject({
      enabled: false,
      probe: null,
      findings: ['BACKUP_ENABLED=false: nothing is backed up, nothing is protected'],
    });
  });

  test('that are overdue degrade, when there is something to save', async () => {
    service = await TestService.start({ env: { R2_BACKUP_INTERVAL_MINUTES: '60' } });
    await service.get(BackupService).idle();
    service.clock.advance(3 * 3_600_000);
    expect((await asViewer(service, 'r2-sync')).body).toMatchObject({
      status: 'ok',
      details: { 'r2-sync': { lastBackupAgeSeconds: expect.closeTo(10_800, -2), intervalSeconds: 3600 } },
    });
    await addSchema(service, 'late');
    const { status, body } = await asViewer(service, 'r2-sync');
    expect([status, body.status]).toEqual([200, 'degraded']);
    expect(body.details['r2-sync']).toMatchObject({
      nextBackupAt: expect.any(String),
      findings: [expect.stringContaining('older than 2 intervals')],
    });
  });

  test('that another process writes take this one out: it refuses writes and is not ready', async () => {
    service = await TestService.start();
    const { manifest } = await takeBackup(service);
    await plantNewerBackup(service, manifest.name);
    await addSchema(service, 'of_this_one');
    await takeBackup(service).catch(() => {});
    const ready = await asViewer(service, 'ready');
    expect(ready.status).toBe(503);
    expect(ready.body.details['service']).toMatchObject({
      findings: [expect.stringContaining('another process wrote')],
    });
    expect((await look(service, 'r2-sync')).status).toBe(503);
    expect((await look(service, 'live')).status).toBe(200);
    const write = await service.send('/events/1/registrations', { method: 'POST', body: { userId: 1 } });
    expect(write.body).toMatchObject({ status: 503, code: 'DATABASE_READ_ONLY' });
    expect((await service.send('/events')).status).toBe(200);
  });
});

/** A backup such as another process would have written since. */
async function plantNewerBackup(service: TestService, name: string): Promise<void> {
  const { checksum: _, ...fields } = JSON.parse(
    await readFile(join(service.repository, `${name}.json`), 'utf8'),
  ) as Record<string, unknown>;
  const other = 'hesocial-manual-20990101-000000';
  const manifest = manifestSchema.parse({
    ...fields,
    name: other,
    createdAt: '2099-01-01T00:00:00.000Z',
    writer: '11111111-2222-4333-8444-555555555555',
    parent: null,
  });
  await copyFile(join(service.repository, `${name}.duckdb.zst`), join(service.repository, `${other}.duckdb.zst`));
  await writeFile(join(service.repository, `${other}.json`), encodeManifest(manifest));
}

describe('the database', () => {
  let service: TestService;
  beforeEach(async () => {
    service = await TestService.start();
  });
  afterEach(() => service.close());

  test('that is closed, as during a restore, is down: not ready, but alive', async () => {
    const database = service.get(DatabaseService);
    await database.close();
    for (const [part, status] of [
      ['database', 503],
      ['full', 503],
      ['ready', 503],
      ['live', 200],
      ['r2-sync', 200],
    ] as const) {
      expect([part, (await look(service, part)).status]).toEqual([part, status]);
    }
    expect((await asViewer(service, 'r2-sync')).body.details['r2-sync']).toMatchObject({ notBackedUp: null });
    await database.open();
    expect((await look(service, 'ready')).status).toBe(200);
  });

  test('that is closed while it is looked at is down, not an error', async () => {
    const database = service.get(DatabaseService);
    const looking = [service.get(DatabaseHealth).look(), service.get(RepositoryHealth).look()] as const;
    const closing = database.close();
    const [{ facts }, repository] = await Promise.all(looking);
    expect(facts).toEqual({ open: false, fatal: null });
    expect(repository.findings).toEqual([]);
    await closing;
  });

  test('whose writes are paused is degraded', async () => {
    await service.get(DatabaseService).pauseWrites('a test is running');
    const { status, body } = await asViewer(service, 'database');
    expect([status, body.status]).toEqual([200, 'degraded']);
    expect(body.details['database']).toMatchObject({ findings: ['writes are paused: a test is running'] });
    service.get(DatabaseService).resumeWrites('a test is running');
  });

  test('of a service that shuts down is in use to the end: alive, not ready', async () => {
    service.get(RequestGate).beginShutdown();
    expect((await look(service, 'ready')).status).toBe(503);
    expect((await look(service, 'live')).status).toBe(200);
    expect((await look(service, 'database')).status).toBe(200);
  });
});
