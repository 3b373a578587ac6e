import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseService } from '../../../src/database/database.service.js';
import { SQL_FOLDER } from '../../../src/database/migration-files.js';
import { Migrator } from '../../../src/database/migrator.js';
import { Seeder } from '../../../src/database/seeder.js';
import { Clock } from '../../../src/runtime/clock.js';
import { databaseAt, databaseRules, testFolder } from './open-database.js';

describe('the sample data', () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;
  let database: DatabaseService;

  beforeEach(async () => {
    folder = await testFolder();
    database = databaseAt(join(folder.path, 'hesocial.duckdb'));
    await database.open();
    await new Migrator(database, new Clock(), undefined).migrate();
  });

  afterEach(async () => {
    await database.close();
    await folder.remove();
  });

  const seeder = (wanted = true, sql?: string) =>
    new Seeder(databaseRules(database.path, { SEED_DATABASE: String(wanted) }), database, sql);
  const all = (sql: string) => database.read((session) => session.all(sql));

  it('has 8 users, 6 events, venues and registrations', async () => {
    expect(await seeder().seed()).toBe(true);
    const counts = new Map((await database.tableCounts()).map(({ name, rows }) => [name, rows]));
    expect(counts.get('users')).toBe(8);
    expect(counts.get('events')).toBe(6);
    expect(counts.get('venues')).toBe(5);
    expect(counts.get('registrations')).toBe(24);
  });

  it('is coherent: seats, venues, hosts and times fit together', async () => {
    await seeder().seed();
    const wrong = await all(`
      SELECT e.id, 'seats' AS why FROM events e
        WHERE seats_taken <> (SELECT count(*) FROM registrations r WHERE r.event_id = e.id)
      UNION ALL SELECT e.id, 'venue' FROM events e JOIN venues v ON v.id = venue_id WHERE e.capacity > v.capacity
      UNION ALL SELECT e.id, 'host' FROM events e JOIN registrations r ON r.event_id = e.id AND r.user_id = host_id
      UNION ALL SELECT e.id, 'before membership' FROM events e JOIN registrations r ON r.event_id = e.id
        JOIN users u ON u.id = r.user_id WHERE r.registered_at < u.member_since
      UNION ALL SELECT e.id, 'registered late' FROM events e JOIN registrations r ON r.event_id = e.id
        WHERE r.registered_at > registration_closes_at OR r.registered_at > now()
      UNION ALL SELECT e.id, 'in the past' FROM events e WHERE starts_at < now()`);
    expect(wrong).toEqual([]);
  });

  it('shows every state of an event: free seats, fully booked, registration over', async () => {
    await seeder().seed();
    const [states] = await all(`SELECT
      count(*) FILTER (registration_closes_at > now() AND seats_taken < capacity)::INTEGER AS free,
      count(*) FILTER (seats_taken = capacity)::INTEGER AS full,
      count(*) FILTER (registration_closes_at < now())::INTEGER AS over FROM events`);
    expect(states).toEqual({ free: 4, full: 1, over: 1 });
  });

  it('can be written to by nobody: contacts are invented', async () => {
    await seeder().seed();
    expect(await all("SELECT email FROM users WHERE email NOT LIKE '%.example'")).toEqual([]);
  });

  it('is loaded once, even if all of it is deleted and the service starts again', async () => {
    expect(await seeder().seed()).toBe(true);
    expect(await seeder().seed()).toBe(false);
    for (const table of ['registrations', 'events', 'venues', 'users']) {
      await database.write((session) => session.run(`DELETE FROM ${table}`));
    }
    await database.close();
    await database.open();
    expect(await seeder().seed()).toBe(false);
    expect(await all('FROM users')).toEqual([]);
  });

  it('is not loaded when it is not wanted', async () => {
    expect(await seeder(false).seed()).toBe(false);
    expect(await all('FROM users')).toEqual([]);
  });

  it('is not loaded into a database that has data', async () => {
    await database.write((session) => session.run("INSERT INTO venues VALUES (9, 'Ours', 'here', 'Taipei', 10)"));
    expect(await seeder().seed()).toBe(false);
  });

  it('is loaded whole or not at all', async () => {
    const sql = join(folder.path, 'sql');
    await cp(SQL_FOLDER, sql, { recursive: true });
    await writeFile(
      join(sql, 'duckdb-seed-realistic.sql'),
      "INSERT INTO venues VALUES (1, 'One', 'here', 'Taipei', 10); INSERT INTO venues VALUES (1, 'Two', 'there', 'Taipei', 0)",
    );
    await expect(seeder(true, sql).seed()).rejects.toMatchObject({ code: 'SEED_FAILED' });
    expect(await all('FROM venues')).toEqual([]);
    expect(await seeder().seed()).toBe(true);
  });
});
