import { type ArgumentMetadata, Injectable, StandardSchemaValidationPipe } from '@nestjs/common';
import { invalidRequest, type FieldProblem } from './problem.js';

type Issue = { readonly message: string; readonly path?: readonly unknown[] | undefined };

/** At most this many fields are named, so that a hostile body cannot ask for an endless answer. */
const MOST_ERRORS = 50;
const LONGEST = 300;

/** Checks bodies, queries and parameters against the schema in their decorator; every field that is wrong is named. */
@Injectable()
export class ValidationPipe extends StandardSchemaValidationPipe {
  constructor() {
    super({ exceptionFactory: (issues) => refuse(issues) });
  }

  /** A request without a body is the same as one with `{}`: `POST /api/admin/backup` has always been sent without. */
  override async transform<T>(value: T, metadata: ArgumentMetadata): Promise<T> {
    const given = metadata.type === 'body' && value === undefined ? {} : value;
    return super.transform(given as T, metadata);
  }
}

function refuse(issues: readonly Issue[]): Error {
  const errors = issues.slice(0, MOST_ERRORS).map(fieldProblem);
  const fields = errors.map(({ path }) => path).filter((path) => path !== '');
  const which = fields.length > 0 ? ` (${[...new Set(fields)].join(', ')})` : '';
  return invalidRequest(
    shorten(`${issues.length} ${issues.length === 1 ? 'value is' : 'values are'} wrong${which}.`),
    errors,
  );
}

function fieldProblem(issue: Issue): FieldProblem {
  const path = (issue.path ?? []).map((segment) =>
    String(typeof segment === 'object' && segment !== null && 'key' in segment ? segment.key : segment),
  );
  return { path: shorten(path.join('.')), message: shorten(issue.message) };
}

function shorten(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}
