import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as wait } from 'node:timers/promises';
import { DatabaseService } from '../../../src/database/database.service.js';
import { ReplicationService } from '../../../src/replication/replication.service.js';
import type { Timeline } from '../../../src/restore/timeline.js';
import { KEYS } from '../../support/admin-keys.js';
import { S3Double } from '../../support/s3/s3-double.js';
import { TestService } from '../../support/service.js';
import { openBucket } from '../object-store/bucket.js';

const LOG = { operation: 'PutObject', key: /\/log\// };

let double: S3Double;
let service: TestService;
beforeAll(async () => {
  double = await S3Double.start();
  service = await TestService.start({
    store: openBucket(double, { maxAttempts: 1 }),
    env: { R2_WAL_SYNC_INTERVAL_MS: '60000', DURABLE_TIMEOUT_MS: '2000' },
  });
  await service.get(DatabaseService).write((session) => session.run('UPDATE events SET capacity = 1000 WHERE id = 1'));
  await shipping();
});
afterEach(() => double.faults.clear());
afterAll(async () => {
  await service.close();
  await double.stop();
});

const replication = () => service.get(ReplicationService);
/** Resolves when the base is there, which the service takes by itself. */
async function shipping(): Promise<void> {
  while (replication().state !== 'shipping') await wait(10);
}
const register = (userId: number, durable: boolean, eventId = 1) =>
  service.send(`/events/${eventId}/registrations`, {
    method: 'POST',
    body: { userId },
    headers: durable ? { prefer: 'durable' } : {},
  });
const seats = async () => (await service.send<{ seatsLeft: number }>('/events/1')).body.seatsLeft;
const records = () => replication().status.records;
let nextUser = 1000;
/** A user who is registered for nothing. */
async function newUser(): Promise<number> {
  const id = nextUser++;
  await service
    .get(DatabaseService)
    .write((session) =>
      session.run(
        `INSERT INTO users SELECT * REPLACE (${id} AS id, 'user-${id}@example.org' AS email) FROM users ORDER BY id LIMIT 1`,
      ),
    );
  return id;
}

describe('a registration with `Prefer: durable`', () => {
  test('answers when its commit is in the store', async () => {
    const user = await newUser();
    const answer = await register(user, true);
    expect(answer.status).toBe(201);
    expect(answer.headers.get('preference-applied')).toBe('durable');
    expect(replication().status).toMatchObject({ state: 'shipping', waitingBytes: 0, waitingSince: null });
    expect(replication().shipped.current).toEqual(await service.get(DatabaseService).position());
  });

  test('without it answers before, and the commit waits for the next interval', async () => {
    const user = await newUser();
    const before = records();
    const answer = await register(user, false);
    expect(answer.status).toBe(201);
    expect(answer.headers.has('preference-applied')).toBe(false);
    expect(records()).toBe(before);
  });

  test('shares one request with those that come while another is on its way', async () => {
    const users = [await newUser(), await newUser(), await newUser(), await newUser(), await newUser()];
    const gate = double.faults.hold(LOG);
    const [before, left] = [records(), await seats()];
    const first = register(users[0] ?? 0, true);
    await gate.reached;
    const others = users.slice(1).map((user) => register(user, true));
    // Their commits are there before the first record is.
    while ((await seats()) > left - users.length) await wait(10);
    gate.open();
    for (const answer of await Promise.all([first, ...others])) expect(answer.status).toBe(201);
    expect(records() - before).toBeLessThanOrEqual(3);
  });

  test('tells the truth where the store does not answer: committed here, not in the store', async () => {
    const user = await newUser();
    double.faults.failAlways(503, LOG);
    const answer = await register(user, true);
    expect(answer.status).toBe(503);
    expect(answer.body).toMatchObject({ code: 'COMMIT_NOT_DURABLE' });
    expect(answer.headers.get('retry-after')).toBe('5');
    expect((await register(user, false)).body).toMatchObject({ code: 'ALREADY_REGISTERED' });
    double.faults.clear();
    // The loop has paused after its failures.
    await replication().ship();
    expect(replication().shipped.current).toEqual(await service.get(DatabaseService).position());
  });
});

describe('GET /admin/timeline', () => {
  test('shows a range in which every commit can be restored, and one of its moments is', async () => {
    const user = await newUser();
    await replication().ship();
    replication().look();
    const before = new Date().toISOString();
    await wait(5);
    await register(user, true);
    const timeline = (await service.send<Timeline>('/admin/timeline', { key: KEYS.viewer })).body;
    expect(timeline.lineages).toHaveLength(1);
    const range = timeline.lineages[0]?.ranges.at(-1);
    expect(range).toMatchObject({ everyCommit: true });
    expect(Date.parse(range?.to ?? '')).toBeGreaterThanOrEqual(Date.parse(before));

    const taken = await seats();
    const plan = await service.send('/admin/restore', {
      key: KEYS.admin,
      method: 'POST',
      body: { at: before, dryRun: true },
    });
    expect(plan.body).toMatchObject({ continuesLineage: false, point: { committedAt: expect.any(String) } });
    const restored = await service.send('/admin/restore', {
      key: KEYS.admin,
      method: 'POST',
      body: { at: before, confirm: 'hesocial-backup' },
    });
    expect(restored.status).toBe(200);
    expect(await seats()).toBe(taken + 1);

    // What was replaced is still there, in the history before.
    await shipping();
    const after = (await service.send<Timeline>('/admin/timeline', { key: KEYS.viewer })).body;
    expect(after.lineages).toHaveLength(2);
    expect(after.lineages[1]?.parent).toMatchObject({ lineage: after.lineages[0]?.lineage });
  });

  test('a time before everything cannot be restored, and is refused with the reason', async () => {
    const answer = await service.send('/admin/restore', {
      key: KEYS.admin,
      method: 'POST',
      body: { at: '2020-01-01T00:00:00Z', dryRun: true },
    });
    expect(answer.status).toBe(409);
    expect(answer.body).toMatchObject({ code: 'RESTORE_POINT_UNREACHABLE' });
  });
});

describe('health', () => {
  test('shows how far shipping is', async () => {
    const { body } = await service.send<{ details: Record<string, { replication: unknown }> }>('/health/r2-sync', {
      key: KEYS.viewer,
    });
    expect(body.details['r2-sync']?.replication).toMatchObject({ state: 'shipping', syncIntervalMs: 60_000 });
  });
});

describe('a service that ships nothing', () => {
  test('refuses durable commits before anything is done', async () => {
    const silent = await TestService.start();
    try {
      const answer = await silent.send('/events/1/registrations', {
        method: 'POST',
        body: { userId: 7 },
        headers: { prefer: 'durable' },
      });
      expect(answer.status).toBe(409);
      expect(answer.body).toMatchObject({ code: 'DURABILITY_UNAVAILABLE' });
      expect((await silent.send<{ seatsLeft: number }>('/events/1')).body.seatsLeft).toBe(await seatsOf(silent));
    } finally {
      await silent.close();
    }
  });
});

const seatsOf = async (one: TestService) => (await one.send<{ seatsLeft: number }>('/events/1')).body.seatsLeft;
