import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { rm } from 'node:fs/promises';
import { BackupService } from '../../../src/backup/backup.service.js';
import { DatabaseService } from '../../../src/database/database.service.js';
import { KEYS } from '../../support/admin-keys.js';
import { temporaryFolder } from '../../support/core.js';
import { TestService } from '../../support/service.js';

describe('the whole service', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await TestService.start({ env: { BODY_LIMIT_KB: '1' } });
  });
  afterAll(() => service.close());

  test('lists the sample events, shows one and its host, and registers a user', async () => {
    const { body } = await service.send<{ events: { id: number; seatsLeft: number; registrationOpen: boolean }[] }>(
      '/events',
    );
    expect(body.events).toHaveLength(6);
    const open = body.events.find(({ registrationOpen, seatsLeft }) => registrationOpen && seatsLeft > 0);
    const { body: event } = await service.send<{ seatsLeft: number; host: { id: number } }>(`/events/${open?.id}`);
    expect((await service.send(`/users/${event.host.id}`)).status).toBe(200);
    await service
      .get(DatabaseService)
      .write((session) =>
        session.run("INSERT INTO users SELECT * REPLACE (500 AS id, 'new' AS email) FROM users ORDER BY id LIMIT 1"),
      );
    const answer = await service.send(`/events/${open?.id}/registrations`, { method: 'POST', body: { userId: 500 } });
    expect([answer.status, answer.body['seatsLeft']]).toEqual([201, event.seatsLeft - 1]);
    expect((await service.send(`/events/${open?.id}`)).body).toMatchObject({ seatsLeft: event.seatsLeft - 1 });
  });

  test.each([['/events'], ['/health/live'], ['/admin/backups'], ['/nowhere'], ['/openapi.json']])(
    'sends the security headers with %s',
    async (path) => {
      const { headers } = await service.fetch(path);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('content-security-policy')).toContain("default-src 'self'");
      expect(headers.get('x-powered-by')).toBeNull();
      expect(headers.get('x-request-id')).not.toBeNull();
    },
  );

  test('keeps caches out of health and the admin API', async () => {
    for (const path of ['/health/full', '/admin/backups', '/admin/operations', '/admin/nowhere']) {
      const { headers } = await service.fetch(path, { key: KEYS.viewer });
      expect([path, headers.get('cache-control')]).toEqual([path, 'no-store']);
    }
    expect((await service.fetch('/events')).headers.get('cache-control')).toBeNull();
  });

  test.each([
    ['POST', '/admin/backup'],
    ['POST', '/admin/restore'],
    ['PATCH', '/admin/backups/any'],
    ['POST', '/events/1/registrations'],
  ])('refuses a body over the limit on %s %s', async (method, path) => {
    const answer = await service.send(path, { method, key: KEYS.admin, body: { label: 'x'.repeat(2000) } });
    expect(answer.body).toMatchObject({ status: 413, code: 'REQUEST_TOO_LARGE' });
  });
});

test('a service whose disk is lost starts with everything that was backed up, and says so', async () => {
  const { path, remove } = await temporaryFolder();
  const first = await TestService.start({ folder: path });
  const { body: before } = await first.send('/events/1');
  const { manifest } = await first.get(BackupService).create({ trigger: 'manual' });
  await first.close();
  await rm(first.database);
  await rm(`${first.database}.eider.json`);
  const second = await TestService.start({ folder: path, env: { SEED_DATABASE: 'false' } });
  try {
    expect((await second.send('/events/1')).body).toEqual(before);
    const health = await second.send('/health/full', { key: KEYS.viewer });
    expect(health.body).toMatchObject({
      details: {
        process: { start: { action: 'restore', restored: { backup: manifest.name } } },
        'r2-sync': { last: { name: manifest.name }, notBackedUp: { changes: false } },
      },
    });
  } finally {
    await second.close();
    await remove();
  }
});
