import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type EventsApp, startEvents } from './events-app.js';

describe('the sample domain', () => {
  let app: EventsApp;

  beforeAll(async () => {
    app = await startEvents();
  });

  afterAll(() => app.close());

  it('lists published events by their start, a page at a time', async () => {
    const all = await app.get('/events');
    expect(all).toMatchObject({ status: 200, body: { next: null } });
    const events = all.body['events'] as { id: number; startsAt: string }[];
    expect(events).toHaveLength(6);
    expect(events.map(({ startsAt }) => startsAt)).toEqual(events.map(({ startsAt }) => startsAt).toSorted());
    const paged: unknown[] = [];
    let path = '/events?limit=4';
    for (let pages = 1; ; pages++) {
      const { body } = await app.get(path);
      paged.push(...(body['events'] as unknown[]));
      const { next } = body;
      if (typeof next !== 'string') {
        expect({ next, pages }).toEqual({ next: null, pages: 2 });
        break;
      }
      path = `/events?limit=4&cursor=${next}`;
    }
    expect(paged).toEqual(events);
  });

  it('shows one event with the seats that are taken and left', async () => {
    expect(await app.get('/events/2')).toEqual({
      status: 200,
      body: {
        id: 2,
        title: 'Burgundy Before the Harvest',
        category: 'wine',
        venue: 'The Camphor Room',
        city: 'Taipei',
        startsAt: expect.stringMatching(/T10:30:00.000Z$/),
        endsAt: expect.stringMatching(/T14:30:00.000Z$/),
        priceTwd: 9600,
        seatsLeft: 25,
        registrationOpen: true,
        description: expect.any(String),
        dressCode: 'Smart casual',
        address: expect.any(String),
        host: { id: 2, displayName: '陳志明 Chen Chih-ming' },
        status: 'published',
        registrationClosesAt: expect.any(String),
        capacity: 30,
        seatsTaken: 5,
      },
    });
  });

  it('shows the public profile of a user and nothing else', async () => {
    const { status, body } = await app.get('/users/5');
    expect(status).toBe(200);
    expect(Object.keys(body).toSorted()).toEqual(
      ['bio', 'city', 'company', 'displayName', 'id', 'memberSince', 'membership', 'profession'].toSorted(),
    );
    expect(body).toMatchObject({ id: 5, displayName: 'Priya Raghunathan', memberSince: '2023-06-08' });
  });

  it('registers a user once and counts the seat', async () => {
    const first = await app.post('/events/3/registrations', { userId: 2 });
    expect(first).toEqual({
      status: 201,
      body: { eventId: 3, userId: 2, registeredAt: expect.any(String), seatsLeft: 176 },
    });
    expect((await app.get('/events/3')).body['seatsLeft']).toBe(176);
    const second = await app.post('/events/3/registrations', { userId: 2 });
    expect(second).toMatchObject({ status: 409, body: { code: 'ALREADY_REGISTERED' } });
    expect((await app.get('/events/3')).body['seatsLeft']).toBe(176);
  });

  it.each([
    ['an unknown event', '/events/999', 404, 'EVENT_NOT_FOUND'],
    ['an unknown user', '/users/999', 404, 'USER_NOT_FOUND'],
    ['an event id that is none', '/events/1%20OR%201=1', 400, 'REQUEST_INVALID'],
    ['an event id that is too large', '/events/99999999999', 400, 'REQUEST_INVALID'],
    ['a user id that is none', '/users/0', 400, 'REQUEST_INVALID'],
    ['a cursor that is none', '/events?cursor=abc', 400, 'REQUEST_INVALID'],
    ['a limit out of bounds', '/events?limit=101', 400, 'REQUEST_INVALID'],
    ['an unknown query field', '/events?page=2', 400, 'REQUEST_INVALID'],
  ])('refuses %s', async (_name, path, status, code) => {
    expect(await app.get(path)).toMatchObject({ status, body: { code } });
  });

  it.each([
    ['for an unknown event', 999, { userId: 1 }, 404, 'EVENT_NOT_FOUND'],
    ['of an unknown user', 3, { userId: 999 }, 404, 'USER_NOT_FOUND'],
    ['for a full event', 4, { userId: 6 }, 409, 'EVENT_FULL'],
    ['after the registration has ended', 5, { userId: 3 }, 409, 'EVENT_CLOSED'],
    ['without a user', 3, {}, 400, 'REQUEST_INVALID'],
    ['with a user that is text', 3, { userId: '1' }, 400, 'REQUEST_INVALID'],
    ['with fields that do not belong there', 3, { userId: 1, seat: 4 }, 400, 'REQUEST_INVALID'],
  ])('refuses a registration %s', async (_name, event, body, status, code) => {
    expect(await app.post(`/events/${event}/registrations`, body)).toMatchObject({ status, body: { code } });
  });

  it('hides drafts, and takes no registrations for a cancelled event', async () => {
    await app.database.write((session) =>
      session.runScript(`INSERT INTO events SELECT 7 AS id, e.* EXCLUDE (id) REPLACE ('draft' AS status) FROM events e WHERE id = 6;
        INSERT INTO events SELECT 8 AS id, e.* EXCLUDE (id) REPLACE ('cancelled' AS status) FROM events e WHERE id = 6`),
    );
    expect(await app.get('/events/7')).toMatchObject({ status: 404, body: { code: 'EVENT_NOT_FOUND' } });
    expect(await app.post('/events/7/registrations', { userId: 3 })).toMatchObject({
      status: 404,
      body: { code: 'EVENT_NOT_FOUND' },
    });
    expect(await app.get('/events/8')).toMatchObject({ status: 200, body: { registrationOpen: false } });
    expect(await app.post('/events/8/registrations', { userId: 3 })).toMatchObject({
      status: 409,
      body: { code: 'EVENT_CLOSED' },
    });
    expect((await app.get('/events')).body['events']).toHaveLength(6);
  });
});

describe('many registrations at once', () => {
  let app: EventsApp;

  beforeAll(async () => {
    // More connections than the service has by default: the more there are, the more often transactions conflict.
    app = await startEvents({ DUCKDB_POOL_SIZE: '64' });
    await app.database.write((session) =>
      session.run(`INSERT INTO users SELECT 1000 + range, 'Guest ' || range, 'guest', 'none', 'Taipei', '', 'platinum',
        DATE '2025-01-01', 'guest' || range || '@guests.example', '+886 900 000 000' FROM range(120)`),
    );
  });

  afterAll(() => app.close());

  const seats = async (event: number) =>
    app.database.read((session) =>
      session.first(
        `SELECT capacity, seats_taken AS taken, (SELECT count(*)::INTEGER FROM registrations WHERE event_id = e.id) AS registered
         FROM events e WHERE id = $1`,
        [event],
      ),
    );

  it('take exactly the seats that there are', async () => {
    const answers = await Promise.all(
      Array.from({ length: 120 }, (_, guest) => app.post('/events/2/registrations', { userId: 1000 + guest })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(25);
    expect(answers.filter(({ body }) => body['code'] === 'EVENT_FULL')).toHaveLength(95);
    expect(await seats(2)).toEqual({ capacity: 30, taken: 30, registered: 30 });
  });

  it('are all taken where there are seats for all', async () => {
    await app.database.write((session) => session.run('UPDATE events SET capacity = 200 WHERE id = 3'));
    const answers = await Promise.all(
      Array.from({ length: 120 }, (_, guest) => app.post('/events/3/registrations', { userId: 1000 + guest })),
    );
    expect(answers.filter(({ status }) => status !== 201)).toEqual([]);
    expect(await seats(3)).toEqual({ capacity: 200, taken: 123, registered: 123 });
  });

  it('of the same user take one seat', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => app.post('/events/6/registrations', { userId: 8 })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ body }) => body['code'] === 'ALREADY_REGISTERED')).toHaveLength(39);
    expect(await seats(6)).toEqual({ capacity: 20, taken: 3, registered: 3 });
  });
});
