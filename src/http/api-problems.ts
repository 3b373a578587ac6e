import { ApiResponse } from '@nestjs/swagger';
import { ERRORS, type ErrorCode } from '../errors/catalogue.js';
import { PROBLEM_TYPE } from './problem.js';

/** The schema of every problem document, by name, in the OpenAPI document. */
export const PROBLEM_SCHEMA = 'Problem';

/** Any route can answer these. */
const ALWAYS = ['INTERNAL', 'SHUTTING_DOWN'] as const satisfies readonly ErrorCode[];

/** Nest's own mark of a method that answers a route. */
const ROUTE = 'method';
const CODES = 'eider:problems';

/**
 * Names the errors that a route answers with, in the OpenAPI document; those of one status share an entry. On a controller
 * it is for all its routes and adds to what they name themselves.
 */
export function ApiProblems(...codes: readonly ErrorCode[]): ClassDecorator & MethodDecorator {
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor): void => {
    if (key !== undefined && descriptor !== undefined) return addProblems(target, key, descriptor, codes);
    const prototype: unknown = 'prototype' in target ? target.prototype : undefined;
    if (typeof prototype !== 'object' || prototype === null) return;
    for (const [name, method] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (typeof method.value === 'function' && Reflect.hasMetadata(ROUTE, method.value)) {
        addProblems(prototype, name, method, codes);
      }
    }
  };
}

/** Swagger lets the entry of a method hide the one of its controller, so both are put into one here. */
function addProblems(
  target: object,
  key: string | symbol,
  descriptor: PropertyDescriptor,
  codes: readonly ErrorCode[],
): void {
  const handler = descriptor.value as object;
  const named = (Reflect.getMetadata(CODES, handler) ?? ALWAYS) as readonly ErrorCode[];
  const all = [...new Set([...named, ...codes])];
  Reflect.defineMetadata(CODES, all, handler);
  for (const status of new Set(all.map((code) => ERRORS[code].status))) {
    const description = all
      .filter((code) => ERRORS[code].status === status)
      .map((code) => `${code}: ${ERRORS[code].title}`)
      .join('; ');
    const content = { [PROBLEM_TYPE]: { schema: { $ref: `#/components/schemas/${PROBLEM_SCHEMA}` } } };
    ApiResponse({ status, description, content })(target, key, descriptor);
  }
}
