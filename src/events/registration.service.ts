import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { DatabaseService } from '../database/database.service.js';
import type { Session } from '../database/session.js';
import { EiderError } from '../errors/eider-error.js';
import { Clock } from '../runtime/clock.js';
import { EventTurns } from './event-turns.js';
import type { Registration } from './events.schemas.js';

/** How often a registration begins again when another transaction changed the same event: for about three seconds. */
const RETRIES = 60;

const stateSchema = z.object({
  status: z.enum(['published', 'cancelled']),
  open: z.boolean(),
  seatsLeft: z.int(),
  userExists: z.boolean(),
  registered: z.boolean(),
});

const STATE = `
  SELECT status, registration_closes_at > $now::TIMESTAMPTZ AS open, (capacity - seats_taken) AS "seatsLeft",
    EXISTS (SELECT 1 FROM users WHERE id = $userId) AS "userExists",
    EXISTS (SELECT 1 FROM registrations WHERE event_id = $eventId AND user_id = $userId) AS registered
  FROM events WHERE id = $eventId AND status <> 'draft'`;

/** Registers users for events. */
@Injectable()
export class RegistrationService {
  readonly #turns = new EventTurns();

  constructor(
    private readonly database: DatabaseService,
    private readonly clock: Clock,
  ) {}

  /**
   * Takes one seat.
   *
   * Counting the seat on the event's row makes two transactions for it conflict, and the loser looks again. Transactions
   * that only insert would not conflict: under snapshot isolation both would see the last seat free, and both take it.
   *
   * Registrations for one event also take turns: with many connections at once they would conflict so often that some
   * ran out of retries.
   *
   * @param options - durable: returns only when the commit is in the store; the next registration does not wait for that
   * @throws EiderError EVENT_NOT_FOUND, USER_NOT_FOUND, ALREADY_REGISTERED, EVENT_CLOSED, EVENT_FULL; DURABILITY_UNAVAILABLE,
   *   COMMIT_NOT_DURABLE
   */
  async register(eventId: number, userId: number, options: { readonly durable?: boolean } = {}): Promise<Registration> {
    if (options.durable === true) this.database.requireDurability();
    const registration = await this.#turns.take(eventId, () =>
      this.database.transaction((session) => this.#take(session, eventId, userId), { retries: RETRIES }),
    );
    if (options.durable === true) await this.database.untilDurable();
    return registration;
  }

  async #take(session: Session, eventId: number, userId: number): Promise<Registration> {
    const registeredAt = this.clock.now();
    const now = registeredAt.toISOString();
    const row = await session.first(STATE, { eventId, userId, now });
    if (row === undefined) throw new EiderError('EVENT_NOT_FOUND', `There is no event ${eventId}.`);
    const state = stateSchema.parse(row);
    if (!state.userExists) throw new EiderError('USER_NOT_FOUND', `There is no user ${userId}.`);
    if (state.registered) {
      throw new EiderError('ALREADY_REGISTERED', `User ${userId} is registered for event ${eventId} already.`);
    }
    if (state.status === 'cancelled') throw new EiderError('EVENT_CLOSED', `Event ${eventId} was cancelled.`);
    if (!state.open) throw new EiderError('EVENT_CLOSED', `Registration for event ${eventId} has ended.`);
    if (state.seatsLeft === 0) throw new EiderError('EVENT_FULL', `Event ${eventId} has no seat left.`);
    // No RETURNING: with it DuckDB deletes and inserts the row, which the foreign key of registrations forbids.
    await session.run('UPDATE events SET seats_taken = seats_taken + 1 WHERE id = $eventId', { eventId });
    await session.run('INSERT INTO registrations VALUES ($eventId, $userId, $now::TIMESTAMPTZ)', {
      eventId,
      userId,
      now,
    });
    return { eventId, userId, registeredAt, seatsLeft: state.seatsLeft - 1 };
  }
}
