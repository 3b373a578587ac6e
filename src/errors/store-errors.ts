import { entry, type ErrorEntry } from './error-entry.js';

/** Errors of the object store. */
export const STORE_ERRORS = {
  STORE_NOT_FOUND: entry(
    404,
    'The object is not in the store',
    'It may have been removed by retention or by hand. `eider verify` tells which backups are affected.',
  ),
  STORE_BUCKET_MISSING: entry(
    503,
    'The bucket does not exist',
    'Nothing was written. Create the bucket or correct R2_BUCKET_NAME and R2_ENDPOINT.',
  ),
  STORE_EXISTS: entry(
    409,
    'The object exists already',
    'Nothing was overwritten: every object of the repository is written once.',
  ),
  STORE_DENIED: entry(
    502,
    'The store refused the credentials',
    'Check R2_ACCESS_KEY_ID, R2_SECRET_ACCESS_KEY and the rights of the token (Object Read & Write on the bucket).',
  ),
  STORE_CLOCK_SKEW: entry(
    502,
    "This machine's clock differs too much from the store's",
    'Set the clock (NTP); signatures are valid for 15 minutes. Local data is safe.',
  ),
  STORE_THROTTLED: entry(
    503,
    'The store asks to slow down',
    'The work is repeated by itself; local data is safe. Lower R2_MAX_CONCURRENCY if it stays.',
  ),
  STORE_UNAVAILABLE: entry(
    503,
    'The store cannot be reached',
    'Local data is safe and stays in use; what is missing is shipped when the store answers. Check R2_ENDPOINT and the network.',
  ),
  STORE_NO_SPACE: entry(507, 'The store has no room', 'Nothing half-written is listed. Free space or raise the quota.'),
  STORE_CORRUPT: entry(
    502,
    'The store returned other bytes than were asked for',
    'Nothing was replaced. Try again; if it stays, restore another backup and check the store.',
  ),
  STORE_KEY_INVALID: entry(400, 'The object key is not valid', 'Nothing was read or written.'),
  STORE_ABORTED: entry(499, 'The request to the store was aborted', 'Nothing half-written is listed.'),
  STORE_FAILED: entry(
    502,
    'The store refused the request',
    'Nothing half-written is listed. The message holds what the store said.',
  ),
} as const satisfies Record<string, ErrorEntry>;
