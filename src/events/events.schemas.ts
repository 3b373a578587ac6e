import { z } from 'zod';
import { cursorSchema } from './event-cursor.js';

const id = z.int().min(1).max(2_147_483_647);

/** An id in a path. */
export const idSchema = z
  .string()
  .regex(/^[1-9]\d{0,9}$/, 'must be a whole number')
  .transform(Number)
  .pipe(id);

/** Query of GET /events. */
export const eventsQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20).describe('At most this many.'),
  cursor: cursorSchema.optional(),
});
export type EventsQuery = z.output<typeof eventsQuerySchema>;

/** One event in a list. */
export const eventSummarySchema = z.object({
  id,
  title: z.string(),
  category: z.string(),
  venue: z.string(),
  city: z.string(),
  startsAt: z.date(),
  endsAt: z.date(),
  priceTwd: z.int().describe('New Taiwan dollars.'),
  seatsLeft: z.int(),
  registrationOpen: z.boolean().describe('Whether a registration would be taken now, seats permitting.'),
});

export const eventPageSchema = z.object({
  events: z.array(eventSummarySchema),
  next: z.string().nullable().describe('`cursor` of the next page; null on the last one.'),
});
export type EventPage = z.output<typeof eventPageSchema>;

/** One event, whole. */
export const eventSchema = eventSummarySchema.extend({
  description: z.string(),
  dressCode: z.string(),
  address: z.string(),
  host: z.object({ id, displayName: z.string() }),
  status: z.enum(['published', 'cancelled']),
  registrationClosesAt: z.date(),
  capacity: z.int(),
  seatsTaken: z.int(),
});
export type Event = z.output<typeof eventSchema>;

/** Body of POST /events/:id/registrations. */
export const registrationBodySchema = z.strictObject({ userId: id });
export type RegistrationBody = z.output<typeof registrationBodySchema>;

export const registrationSchema = z.object({
  eventId: id,
  userId: id,
  registeredAt: z.date(),
  seatsLeft: z.int().describe('After this registration.'),
});
export type Registration = z.output<typeof registrationSchema>;

/** What everybody may know of a user. Address and telephone number are not selected, so that they cannot leak. */
export const userProfileSchema = z.object({
  id,
  displayName: z.string(),
  profession: z.string(),
  company: z.string(),
  city: z.string(),
  bio: z.string(),
  membership: z.string(),
  memberSince: z.iso.date(),
});
export type UserProfile = z.output<typeof userProfileSchema>;
