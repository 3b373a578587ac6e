import { Injectable } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { EiderError } from '../errors/eider-error.js';
import { Clock } from '../runtime/clock.js';
import { isHealthRequest } from './admin-path.js';

/** Lets requests in, and from the beginning of a shutdown only those for health. */
@Injectable()
export class RequestGate {
  #closing = false;
  #inFlight = 0;
  #waiting: (() => void)[] = [];

  constructor(private readonly clock: Clock) {}

  /** True from `beginShutdown` on: readiness is red. */
  get shuttingDown(): boolean {
    return this.#closing;
  }

  /** Requests being answered, those for health left out. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** From now on new requests are answered with SHUTTING_DOWN. Idempotent. */
  beginShutdown(): void {
    this.#closing = true;
  }

  /** Waits until no request is in flight, for at most that many ms; tells whether none is. */
  async drain(ms: number): Promise<boolean> {
    if (this.#inFlight === 0) return true;
    const waited = new AbortController();
    const idle = new Promise<void>((resolve) => this.#waiting.push(resolve));
    const late = this.clock.sleep(ms, waited.signal).catch(() => {});
    await Promise.race([idle, late]);
    waited.abort();
    return this.#inFlight === 0;
  }

  /** Express middleware, ahead of everything that can take long. */
  readonly middleware = (request: Request, response: Response, next: NextFunction): void => {
    if (isHealthRequest(request)) return next();
    if (this.#closing) {
      // The connection must not be used again: the client's next request then goes to another instance.
      response.setHeader('Connection', 'close');
      throw new EiderError('SHUTTING_DOWN', 'The service takes no new requests.');
    }
    this.#inFlight++;
    // `close` comes once for every response, answered or broken off.
    response.once('close', () => {
      this.#inFlight--;
      if (this.#inFlight === 0) for (const wake of this.#waiting.splice(0)) wake();
    });
    next();
  };
}
