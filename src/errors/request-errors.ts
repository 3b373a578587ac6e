import { entry, type ErrorEntry } from './error-entry.js';

/** Errors of requests and of the service itself. */
export const REQUEST_ERRORS = {
  CONFIGURATION_INVALID: entry(
    500,
    'The configuration is not valid',
    'Nothing was opened or changed. Correct the variables named, one line each, and start again.',
  ),
  REQUEST_INVALID: entry(400, 'The request is not valid', 'Nothing was changed. Correct the fields named in `errors`.'),
  REQUEST_TOO_LARGE: entry(413, 'The request body is too large', 'Nothing was changed. Send a smaller body.'),
  NOT_FOUND: entry(404, 'There is nothing at this address', 'Nothing was changed. See /api/docs for the addresses.'),
  RATE_LIMITED: entry(429, 'Too many requests', 'Nothing was changed. Wait as long as Retry-After says.'),
  INTERNAL: entry(
    500,
    'An unexpected error occurred',
    'The log holds the details under the same request id. Please report it with that line.',
  ),
  ADMIN_KEYS_MISSING: entry(
    503,
    'The admin API has no keys',
    'Set ADMIN_API_KEYS (name:role:sha256hex, comma-separated) and restart; until then the admin API stays shut.',
  ),
  UNAUTHENTICATED: entry(
    401,
    'A valid API key is needed',
    'Send `Authorization: Bearer <key>` with a key from ADMIN_API_KEYS.',
  ),
  FORBIDDEN: entry(403, 'The role of this API key is too low', 'Use a key of the role named in the message.'),
  SHUTTING_DOWN: entry(
    503,
    'The service is shutting down',
    'Nothing was changed. Send the request to another instance, or again after the restart.',
  ),
  OPERATION_NOT_FOUND: entry(
    404,
    'There is no such operation',
    'Operations are kept in memory, the newest 200 only, and are forgotten at a restart.',
  ),
} as const satisfies Record<string, ErrorEntry>;
