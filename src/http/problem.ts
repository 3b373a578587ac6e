import { ERRORS, type ErrorCode } from '../errors/catalogue.js';
import { EiderError, isEiderError } from '../errors/eider-error.js';

/** One field of a request that was refused. */
export interface FieldProblem {
  /** Where it is: `label`, `items.0.name`; empty for the value as a whole. */
  readonly path: string;
  readonly message: string;
}

/** An error as HTTP clients see it: RFC 9457 with a stable code and what to do. */
export interface ProblemDocument {
  /** `urn:eider:error:<code>`. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** What happened in this case. */
  readonly detail: string;
  readonly code: ErrorCode;
  readonly advice: string;
  readonly requestId?: string;
  /** The fields that are wrong, for REQUEST_INVALID. */
  readonly errors?: readonly FieldProblem[];
  /** Facts for programs: names, sizes, times. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Media type of a problem document (RFC 9457, section 3). */
export const PROBLEM_TYPE = 'application/problem+json';

/** A request that does not fit its schema; `errors` names the fields. */
export function invalidRequest(detail: string, errors?: readonly FieldProblem[]): EiderError {
  return new EiderError('REQUEST_INVALID', detail, errors === undefined ? {} : { details: { errors } });
}

/**
 * The problem document of anything that was thrown. An error that is not of Eider's family becomes INTERNAL, and nothing
 * of it is told: its text may hold paths, statements or secrets.
 */
export function problemOf(error: unknown, requestId?: string): ProblemDocument {
  const known = isEiderError(error)
    ? error
    : new EiderError('INTERNAL', 'The request could not be completed because of an unexpected error.');
  const { errors, ...details } = known.details;
  return {
    type: `urn:eider:error:${known.code}`,
    title: ERRORS[known.code].title,
    status: known.status,
    detail: known.message,
    code: known.code,
    advice: known.advice,
    ...(requestId === undefined ? {} : { requestId }),
    ...(Array.isArray(errors) ? { errors: errors as readonly FieldProblem[] } : {}),
    ...(Object.keys(details).length > 0 ? { details } : {}),
  };
}
