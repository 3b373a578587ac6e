import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import type { Request, Response } from 'express';
import { isEiderError } from '../errors/eider-error.js';
import { jsonReplacer } from './json-replacer.js';
import { PROBLEM_TYPE, problemOf } from './problem.js';
import { toEiderError } from './problem-mapping.js';
import { requestIdOf } from './request-id.js';

/** Sent with every 503 that does not know better, seconds. */
export const DEFAULT_RETRY_AFTER_SECONDS = 5;

/** Answers every error with a problem document, and logs those that are the service's own fault. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #logger = new Logger('Http');

  catch(thrown: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<Request>();
    const response = host.switchToHttp().getResponse<Response>();
    const report = healthReport(thrown);
    if (report !== undefined && !response.headersSent) {
      response.status(503).json(report);
      return;
    }
    const error = toEiderError(thrown);
    const problem = problemOf(error, requestIdOf(request));
    if (problem.status >= 500) this.#log(error, request);
    if (response.headersSent) {
      // The status is gone already. Breaking the connection is the only way to tell the client that the rest is missing.
      response.destroy();
      return;
    }
    removeEntityHeaders(response);
    if (problem.code === 'UNAUTHENTICATED') response.setHeader('WWW-Authenticate', challenge(request));
    const retryAfter = isEiderError(error) ? error.retryAfterSeconds : undefined;
    if (retryAfter !== undefined || problem.status === 503) {
      response.setHeader('Retry-After', String(Math.max(1, Math.ceil(retryAfter ?? DEFAULT_RETRY_AFTER_SECONDS))));
    }
    response.statusCode = problem.status;
    // Not response.json(): it would add a charset, a parameter that this media type does not have.
    response
      .setHeader('Content-Type', PROBLEM_TYPE)
      .setHeader('Cache-Control', 'no-store')
      .end(JSON.stringify(problem, jsonReplacer));
  }

  #log(error: unknown, request: Request): void {
    const context = { requestId: requestIdOf(request), method: request.method };
    if (isEiderError(error)) this.#logger.error(`${error.code}: ${error.message}`, causes(error), context);
    else this.#logger.error('An unexpected error occurred', causes(error), context);
  }
}

/** RFC 6750, section 3: a request that presented a key is told that it is the key that is wrong. */
function challenge(request: Request): string {
  const error = request.headers.authorization === undefined ? '' : ', error="invalid_token"';
  return `Bearer realm="eider"${error}`;
}

/** Headers of the answer that was meant to be sent must not describe the problem document. */
function removeEntityHeaders(response: Response): void {
  for (const name of ['Content-Disposition', 'Content-Encoding', 'Content-Length', 'ETag', 'Last-Modified']) {
    response.removeHeader(name);
  }
}

/** Terminus throws its report with status 503 when something is down; monitors expect it as it is. */
function healthReport(thrown: unknown): object | undefined {
  if (!(thrown instanceof HttpException) || thrown.getStatus() !== 503) return undefined;
  const body = thrown.getResponse();
  return typeof body === 'object' && 'status' in body && 'details' in body ? body : undefined;
}

/** The stack of an error and of the errors underneath it. */
function causes(error: unknown): string {
  const stacks: string[] = [];
  for (let at = error; at instanceof Error && stacks.length < 5; at = at.cause) stacks.push(at.stack ?? at.message);
  return stacks.join('\ncaused by ') || String(error);
}
