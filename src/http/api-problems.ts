import { applyDecorators } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import { ERRORS, type ErrorCode } from '../errors/catalogue.js';
import { PROBLEM_TYPE } from './problem.js';

/** The schema of every problem document, by name, in the OpenAPI document. */
export const PROBLEM_SCHEMA = 'Problem';

/** Names the errors that a route answers with, in the OpenAPI document; codes of one status share an entry. */
export function ApiProblems(...codes: readonly ErrorCode[]): ClassDecorator & MethodDecorator {
  const statuses = [...new Set(codes.map((code) => ERRORS[code].status))];
  return applyDecorators(
    ...statuses.map((status) =>
      ApiResponse({
        status,
        description: codes
          .filter((code) => ERRORS[code].status === status)
          .map((code) => `${code}: ${ERRORS[code].title}`)
          .join('; '),
        content: { [PROBLEM_TYPE]: { schema: { $ref: `#/components/schemas/${PROBLEM_SCHEMA}` } } },
      }),
    ),
  );
}
