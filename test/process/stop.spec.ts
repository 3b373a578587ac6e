import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { Stage } from '../support/stage.js';
import { makeLoadDatabase, missingFrom, RegistrationLoad } from '../support/registrations.js';
import type { S3Double } from '../support/s3/s3-double.js';
import { ADMIN_KEY, bucketOf, environmentIn, TestService } from '../support/processes.js';

const PACK = /\.duckdb\.zst$/;

let stage: Stage;
let double: S3Double;
let env: Record<string, string>;

beforeEach(async () => {
  stage = await Stage.set();
  await makeLoadDatabase(stage.path);
  double = await stage.double();
  // No schedule: the tests say when a backup is taken.
  env = environmentIn(stage.path, { ...bucketOf(double), R2_BACKUP_INTERVAL_MINUTES: '0' });
});
afterEach(() => stage.clear());

/** A service with some acknowledged writes, none of them in the repository. */
async function serveWithWrites(
  extra: Record<string, string> = {},
): Promise<{ service: TestService; written: RegistrationLoad['acknowledged'] }> {
  const service = await stage.serve({ ...env, ...extra });
  const written = [];
  for (const userId of [1, 2, 3]) {
    const response = await service.fetch('/events/1/registrations', { json: { userId } });
    expect(response.status).toBe(201);
    written.push({ eventId: 1, userId });
  }
  return { service, written };
}

/** Every write is there at the next start on the same disk, which ships what the repository lacks. */
async function expectKept(written: RegistrationLoad['acknowledged']): Promise<void> {
  const sameDisk = await stage.serve(env);
  expect(await missingFrom(sameDisk, written)).toEqual([]);
  expect(await sameDisk.stop()).toBe(0);
  await expectSaved(written);
}

/** Every write is in the repository: the next start has it although the disk is lost. */
async function expectSaved(written: RegistrationLoad['acknowledged']): Promise<void> {
  await stage.wipe();
  const newDisk = await stage.serve(env);
  expect(newDisk.output).toContain('restore (local-missing)');
  expect(await missingFrom(newDisk, written)).toEqual([]);
}

const backupsIn = (store: S3Double): string[] =>
  store.state.keys().filter((key) => /^backups\/[^/]*\.json$/.test(key) && !key.endsWith('repository.json'));

const lockedOrLogged = (database: string): boolean => existsSync(`${database}.wal`);

describe('while the service shuts down', () => {
  it('new requests are refused with SHUTTING_DOWN, health answers and readiness is red', async () => {
    const { service, written } = await serveWithWrites();
    const gate = double.faults.hold({ operation: 'PutObject', key: PACK });
    service.signal('SIGTERM');
    await gate.reached;

    const refused = await service.fetch('/events');
    expect(refused.status).toBe(503);
    expect(refused.headers.get('connection')).toBe('close');
    expect(await refused.json()).toMatchObject({ code: 'SHUTTING_DOWN' });
    const write = await service.fetch('/events/1/registrations', { json: { userId: 9 } });
    expect(await write.json()).toMatchObject({ code: 'SHUTTING_DOWN' });
    expect((await service.fetch('/health/live')).status).toBe(200);
    expect((await service.fetch('/health/database')).status).toBe(200);
    expect((await service.fetch('/health/ready')).status).toBe(503);

    gate.open();
    expect(await service.exited).toBe(0);
    await expectSaved(written);
  });

  it('requests that never end do not hold it: half a body, an idle connection, a download that nobody reads', async () => {
    await stage.wipe();
    await makeLoadDatabase(stage.path, 1_000_000);
    const { service, written } = await serveWithWrites();
    const backup = await service.fetch('/admin/backup', { json: {} });
    const { name } = (await backup.json()) as { name: string };
    const idle = await open(service, 'GET /api/health/live HTTP/1.1\r\nHost: test\r\n\r\n');
    const half = await open(
      service,
      'POST /api/events/2/registrations HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"user',
      false,
    );
    const download = await open(
      service,
      `GET /api/admin/backups/${name}/download HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer ${ADMIN_KEY}\r\n\r\n`,
    );
    expect(await service.stop()).toBe(0);
    for (const socket of [idle, half, download]) socket.destroy();
    expect(service.output).not.toContain('took too long');
    await expectSaved(written);
  });

  it('a manual backup under way is joined and answered, and not taken twice', async () => {
    const { service, written } = await serveWithWrites();
    const gate = double.faults.hold({ operation: 'PutObject', key: PACK });
    const request = service.fetch('/admin/backup', { json: { label: 'by hand' } });
    await gate.reached;
    service.signal('SIGTERM');
    await service.says(/shutting down/);
    gate.open();
    const response = await request;
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({ trigger: 'manual', label: 'by hand' });
    expect(await service.exited).toBe(0);
    expect(backupsIn(double)).toHaveLength(1);
    await expectSaved(written);
  });

  it('an online restore under way is given up, and the database in use is saved', async () => {
    const { service, written } = await serveWithWrites();
    const backup = await service.fetch('/admin/backup', { json: {} });
    const { name } = (await backup.json()) as { name: string };
    const later = await service.fetch('/events/2/registrations', { json: { userId: 1 } });
    expect(later.status).toBe(201);
    // Of the packs it may read none: the file has not changed since.
    const gate = double.faults.hold({ method: 'GET', key: /extents/ });
    const restore = service.fetch('/admin/restore', { json: { backup: name, confirm: 'hesocial-backup' } });
    await gate.reached;
    service.signal('SIGTERM');
    expect(await (await restore).json()).toMatchObject({ code: 'SHUTTING_DOWN' });
    expect(await service.exited).toBe(0);
    await expectSaved([...written, { eventId: 2, userId: 1 }]);
  });

  it('a second signal of another kind leaves at once with 130, without harm', async () => {
    const { service, written } = await serveWithWrites();
    const gate = double.faults.hold({ operation: 'PutObject', key: PACK });
    service.signal('SIGTERM');
    await gate.reached;
    expect(await service.stop('SIGINT')).toBe(130);
    double.faults.clear();
    await expectKept(written);
  });

  it('the same signal again leaves at once with 143, without harm', async () => {
    const { service, written } = await serveWithWrites();
    const gate = double.faults.hold({ operation: 'PutObject', key: PACK });
    service.signal('SIGTERM');
    await gate.reached;
    // As an impatient operator does; the first ones may still count as echoes of one Ctrl-C.
    const impatience = setInterval(() => service.signal('SIGTERM'), 50);
    expect(await service.exited).toBe(143);
    clearInterval(impatience);
    double.faults.clear();
    await expectKept(written);
  });
});

describe('when the last backup cannot be taken', () => {
  it('because the store is down, the exit status is 1, the file is whole, and the next start ships it', async () => {
    const { service, written } = await serveWithWrites();
    await double.goDown();
    expect(await service.stop()).toBe(1);
    expect(service.output).toContain('the last backup failed');
    expect(lockedOrLogged(stage.database)).toBe(false);
    await double.comeBack();
    await expectKept(written);
  });

  it.each([
    ['an upload', { operation: 'PutObject', key: PACK }],
    ['a listing', { operation: 'ListObjectsV2' }],
    ['the commit', { operation: 'PutObject', key: /^backups\/[^/]*\.json$/ }],
  ])(
    'because %s does not end before the deadline, the exit status is 1 and the database is closed',
    async (_, match) => {
      const { service, written } = await serveWithWrites({ SHUTDOWN_TIMEOUT_SECONDS: '5' });
      const gate = double.faults.hold(match, 'before', Infinity);
      service.signal('SIGTERM');
      // On a machine that is busy enough the deadline can come before the request.
      await Promise.race([gate.reached, service.exited]);
      expect(await service.exited).toBe(1);
      expect(service.output).toContain('the last backup failed');
      expect(service.output).not.toContain('took too long');
      expect(lockedOrLogged(stage.database)).toBe(false);
      expect(backupsIn(double)).toHaveLength(0);
      double.faults.clear();
      await expectKept(written);
    },
  );
});

describe('a service that', () => {
  it('gets one Ctrl-C twice, from the terminal and from what started it, still takes its last backup', async () => {
    const { service, written } = await serveWithWrites();
    const gate = double.faults.hold({ operation: 'PutObject', key: PACK });
    service.signal('SIGINT');
    await service.says(/shutting down/);
    service.signal('SIGINT');
    await Promise.race([gate.reached, service.exited]);
    gate.open();
    expect(await service.exited).toBe(0);
    await expectSaved(written);
  });

  it('has lost the reader of its output still takes its last backup', async () => {
    const { service, written } = await serveWithWrites();
    service.closeOutput();
    expect(await service.stop()).toBe(0);
    await expectSaved(written);
  });

  it('meets an error that nothing handles saves everything and ends with 1', async () => {
    const fault = "process.on('SIGUSR2', () => void Promise.reject(new Error('nobody expected this')))";
    const service = stage.run(new TestService(env, ['--import', `data:text/javascript,${encodeURIComponent(fault)}`]));
    await service.ready();
    const response = await service.fetch('/events/1/registrations', { json: { userId: 1 } });
    expect(response.status).toBe(201);
    expect(await service.stop('SIGUSR2')).toBe(1);
    expect(service.output).toContain('nobody expected this');
    expect(service.output).toContain('everything is in');
    await expectSaved([{ eventId: 1, userId: 1 }]);
  });
});

/** Sends the beginning of a request and never reads more than the beginning of the answer. */
async function open(service: TestService, text: string, answered = true): Promise<Socket> {
  const { hostname, port } = new URL(service.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  await new Promise<void>((resolve) => socket.write(text, () => resolve()));
  if (answered) await new Promise<void>((resolve) => socket.once('readable', () => resolve()));
  return socket;
}
