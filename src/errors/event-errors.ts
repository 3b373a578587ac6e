import { entry, type ErrorEntry } from './error-entry.js';

/** Errors of the sample domain. */
export const EVENT_ERRORS = {
  EVENT_NOT_FOUND: entry(404, 'There is no such event', 'Nothing was changed. GET /api/events lists them.'),
  USER_NOT_FOUND: entry(404, 'There is no such user', 'Nothing was changed.'),
  EVENT_FULL: entry(409, 'The event is fully booked', 'Nothing was changed.'),
  EVENT_CLOSED: entry(409, 'The event takes no registrations', 'Nothing was changed.'),
  ALREADY_REGISTERED: entry(409, 'The user is registered already', 'Nothing was changed.'),
} as const satisfies Record<string, ErrorEntry>;
