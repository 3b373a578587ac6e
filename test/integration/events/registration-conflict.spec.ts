import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import type { DatabaseService } from '../../../src/database/database.service.js';
import { Migrator } from '../../../src/database/migrator.js';
import { Seeder } from '../../../src/database/seeder.js';
import { RegistrationService } from '../../../src/events/registration.service.js';
import { Clock } from '../../../src/runtime/clock.js';
import { databaseAt, databaseRules, gate, testFolder } from '../database/open-database.js';

/** Tells when somebody waits to try again, and lets them wait until the test is ready. */
class GatedClock extends Clock {
  readonly conflict = gate();
  readonly again = gate();
  waits = 0;

  override async sleep(): Promise<void> {
    this.waits++;
    this.conflict.open();
    await this.again.opened;
  }
}

/** Event 3 has one seat left in these tests. */
const EVENT = 3;
const ONE_LEFT = `UPDATE events SET seats_taken = capacity - 1 WHERE id = ${EVENT}`;
const TAKE = `UPDATE events SET seats_taken = seats_taken + 1 WHERE id = ${EVENT}`;

describe('a registration that meets another transaction for the last seat', () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;
  let clock: GatedClock;
  let database: DatabaseService;
  let registrations: RegistrationService;

  beforeEach(async () => {
    folder = await testFolder();
    clock = new GatedClock();
    const path = join(folder.path, 'hesocial.duckdb');
    database = databaseAt(path, {}, clock);
    await database.open();
    await new Migrator(database, clock, undefined).migrate();
    await new Seeder(databaseRules(path, { SEED_DATABASE: 'true' }), database, undefined).seed();
    await database.write((session) => session.run(ONE_LEFT));
    registrations = new RegistrationService(database, clock);
  });

  afterEach(async () => {
    clock.again.open();
    await database.close();
    await folder.remove();
  });

  /** Takes the last seat in a transaction that stays open until the registration has met it. */
  async function meet(userId: number, end: () => void) {
    const taken = gate();
    const other = database.transaction(async (session) => {
      await session.run(TAKE);
      taken.open();
      await clock.conflict.opened;
      end();
    });
    await taken.opened;
    const registration = registrations.register(EVENT, userId);
    // One that meets nobody must fail the test, not hang it.
    void registration.catch(() => {}).finally(clock.conflict.open);
    await Promise.allSettled([other]);
    clock.again.open();
    return registration;
  }

  it('finds the event full when the other one commits', async () => {
    await expect(meet(2, () => {})).rejects.toMatchObject({ code: 'EVENT_FULL' });
    expect(clock.waits).toBeGreaterThan(0);
    const rows = await database.read((session) =>
      session.all('SELECT 1 FROM registrations WHERE event_id = $1 AND user_id = 2', [EVENT]),
    );
    expect(rows).toEqual([]);
  });

  it('gets the seat when the other one is rolled back', async () => {
    const rollBack = (): never => {
      throw new Error('changed my mind');
    };
    await expect(meet(2, rollBack)).resolves.toMatchObject({ eventId: EVENT, userId: 2, seatsLeft: 0 });
    expect(clock.waits).toBeGreaterThan(0);
  });

  it('needs no retry when the others are registrations, too', async () => {
    clock.again.open();
    const outcomes = await Promise.allSettled([2, 3, 4, 5, 7].map((user) => registrations.register(EVENT, user)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(clock.waits).toBe(0);
  });
});
