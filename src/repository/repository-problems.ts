import type { ErrorCode } from '../errors/catalogue.js';

/** The errors of every route that reads from the repository, for its documentation. */
export const REPOSITORY_PROBLEMS = [
  'STORE_UNAVAILABLE',
  'STORE_THROTTLED',
  'STORE_BUCKET_MISSING',
  'STORE_DENIED',
  'STORE_CLOCK_SKEW',
  'STORE_CORRUPT',
  'STORE_FAILED',
  'REPOSITORY_ENVIRONMENT_MISMATCH',
  'REPOSITORY_DATABASE_MISMATCH',
  'REPOSITORY_FORMAT_NEWER',
  'REPOSITORY_CORRUPT',
] as const satisfies readonly ErrorCode[];
