import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { DatabaseService } from '../database/database.service.js';
import { EiderError } from '../errors/eider-error.js';
import { Clock } from '../runtime/clock.js';
import { encodeCursor } from './event-cursor.js';
import {
  type Event,
  type EventPage,
  eventSchema,
  type EventsQuery,
  eventSummarySchema,
  type UserProfile,
  userProfileSchema,
} from './events.schemas.js';

const SUMMARY = `
  e.id, e.title, e.category, v.name AS venue, v.city, e.starts_at AS "startsAt", e.ends_at AS "endsAt",
  e.price_twd AS "priceTwd", (e.capacity - e.seats_taken) AS "seatsLeft",
  (e.status = 'published' AND e.registration_closes_at > $now::TIMESTAMPTZ) AS "registrationOpen"`;

const LIST = `
  SELECT ${SUMMARY}, epoch_us(e.starts_at) AS "startsAtUs"
  FROM events e JOIN venues v ON v.id = e.venue_id
  WHERE e.status = 'published' AND (epoch_us(e.starts_at), e.id) > ($afterUs::BIGINT, $afterId::INTEGER)
  ORDER BY e.starts_at, e.id
  LIMIT $limit::INTEGER`;

const ONE = `
  SELECT ${SUMMARY}, e.description, e.dress_code AS "dressCode", v.address, e.status, e.capacity, e.seats_taken AS "seatsTaken",
    {'id': u.id, 'displayName': u.display_name} AS host, e.registration_closes_at AS "registrationClosesAt"
  FROM events e JOIN venues v ON v.id = e.venue_id JOIN users u ON u.id = e.host_id
  WHERE e.id = $id AND e.status <> 'draft'`;

const PROFILE = `
  SELECT id, display_name AS "displayName", profession, company, city, bio, membership,
    member_since::VARCHAR AS "memberSince"
  FROM users WHERE id = $id`;

const rowSchema = eventSummarySchema.extend({ startsAtUs: z.bigint() });

/** Below every event's start. */
const BEFORE_ALL = { startsAtUs: -(2n ** 62n), id: 0 };

/** What the sample domain shows. */
@Injectable()
export class EventsService {
  constructor(
    private readonly database: DatabaseService,
    private readonly clock: Clock,
  ) {}

  /** Published events by their start, the earliest first. */
  async list({ limit, cursor = BEFORE_ALL }: EventsQuery): Promise<EventPage> {
    const now = this.clock.now().toISOString();
    const params = { now, afterUs: cursor.startsAtUs, afterId: cursor.id, limit: limit + 1 };
    const rows = z.array(rowSchema).parse(await this.database.read((session) => session.all(LIST, params)));
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    return {
      events: page.map((row) => eventSummarySchema.parse(row)),
      next: last === undefined ? null : encodeCursor(last),
    };
  }

  /** One event that is not a draft. Throws EVENT_NOT_FOUND. */
  async get(id: number): Promise<Event> {
    const now = this.clock.now().toISOString();
    const row = await this.database.read((session) => session.first(ONE, { id, now }));
    if (row === undefined) throw new EiderError('EVENT_NOT_FOUND', `There is no event ${id}.`);
    return eventSchema.parse(row);
  }

  /** The public profile of a user. Throws USER_NOT_FOUND. */
  async profile(id: number): Promise<UserProfile> {
    const row = await this.database.read((session) => session.first(PROFILE, { id }));
    if (row === undefined) throw new EiderError('USER_NOT_FOUND', `There is no user ${id}.`);
    return userProfileSchema.parse(row);
  }
}
