import type { S3Client } from '@aws-sdk/client-s3';
import { setTimeout as delay } from 'node:timers/promises';
import type { BucketConfig } from '../../config/store.config.js';
import { EiderError } from '../../errors/eider-error.js';
import { LinkedAbort } from '../linked-abort.js';
import { ConcurrencyLimiter } from './concurrency-limiter.js';
import { readFailure, storeError } from './read-failure.js';
import { createS3Client, watchClock } from './s3-client.js';
import { failureOfTimeout, type StoreFailure } from './s3-failure.js';

/** Longest pause between two attempts, and longest `Retry-After` that is honoured, ms. */
const LONGEST_PAUSE = 20_000;
/** The pause before the second attempt is random between 0 and this, ms; doubled for each further one. */
const FIRST_PAUSE = 200;
/** The same after 429 and 503: R2 takes one write per second and key. */
const FIRST_PAUSE_THROTTLED = 1_000;
/** Clocks that differ by more than this make signatures invalid, ms (AWS Signature Version 4; R2 does the same). */
export const MAX_CLOCK_SKEW = 15 * 60_000;

/** How pauses are made; replaced in tests, which must not wait. */
export interface Pacing {
  /** A number from 0 to 1. */
  random(): number;
  /** Waits; rejects when the signal is aborted. */
  pause(ms: number, signal?: AbortSignal): Promise<void>;
}

const REAL_PACING: Pacing = {
  random: Math.random,
  pause: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
};

/** One request: run for each attempt, with a client and a signal that also carries the time-out. */
export type Request<T> = (client: S3Client, signal: AbortSignal) => Promise<T>;

/** The result of one attempt. */
export type Outcome<T> = { readonly value: T } | { readonly failure: StoreFailure };

/** Sends requests to one bucket: bounded in number and time, repeated where that can help. */
export class S3Requests {
  readonly limiter: ConcurrencyLimiter;
  readonly place: string;
  #clockSkewMs: number | undefined;
  readonly #client: S3Client;

  constructor(
    readonly config: BucketConfig,
    private readonly pacing: Pacing = REAL_PACING,
  ) {
    this.place = `s3://${config.bucket}/${config.prefix} at ${config.endpoint}`;
    this.limiter = new ConcurrencyLimiter(config.maxConcurrency);
    this.#client = createS3Client(config);
    watchClock(this.#client, (skewMs) => (this.#clockSkewMs = skewMs));
  }

  /** This machine's clock minus the store's, ms, to a second or so; undefined before the first answer. */
  get clockSkewMs(): number | undefined {
    return this.#clockSkewMs;
  }

  /**
   * Sends a request until it succeeds, fails for good or was tried `maxAttempts` times.
   *
   * @param doing - the beginning of the sentence of an error: `Reading x`
   */
  async send<T>(doing: string, request: Request<T>, signal?: AbortSignal): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.once(doing, request, signal);
      if ('value' in outcome) return outcome.value;
      await this.pauseOrThrow(doing, outcome.failure, attempt, signal);
    }
  }

  /** One attempt. Throws STORE_ABORTED and nothing else. */
  async once<T>(doing: string, request: Request<T>, signal?: AbortSignal): Promise<Outcome<T>> {
    const abort = new LinkedAbort(signal);
    let timer: NodeJS.Timeout | undefined;
    let timedOut = false;
    const turn = await this.limiter.acquire(signal).catch(() => undefined);
    try {
      if (turn === undefined || signal?.aborted === true) throw this.aborted(doing);
      timer = setTimeout(() => {
        timedOut = true;
        abort.abort(new Error('timed out'));
      }, this.config.requestTimeoutMs);
      const value = await request(this.#client, abort.signal);
      turn.succeeded();
      return { value };
    } catch (error) {
      if (signal?.aborted === true) throw this.aborted(doing);
      if (error instanceof EiderError) throw error;
      const failure = timedOut ? failureOfTimeout(this.config.requestTimeoutMs) : this.#refine(readFailure(error));
      if (failure.overloaded) turn?.overloaded();
      return { failure };
    } finally {
      clearTimeout(timer);
      abort.release();
      turn?.release();
    }
  }

  /** Waits before attempt `attempt + 1`; throws where there is to be none. Full jitter: clients must not come in step. */
  async pauseOrThrow(doing: string, failure: StoreFailure, attempt: number, signal?: AbortSignal): Promise<void> {
    if (!failure.retryable || attempt >= this.config.maxAttempts) throw this.error(doing, failure, attempt);
    const first = failure.overloaded ? FIRST_PAUSE_THROTTLED : FIRST_PAUSE;
    const jitter = this.pacing.random() * Math.min(LONGEST_PAUSE, first * 2 ** (attempt - 1));
    const asked = Math.min(LONGEST_PAUSE, failure.retryAfterMs ?? 0);
    try {
      await this.pacing.pause(Math.max(jitter, asked), signal);
    } catch {
      throw this.aborted(doing);
    }
  }

  /** The error of a failure, with the place in its sentence. */
  error(doing: string, failure: StoreFailure, attempts = 1): EiderError {
    return storeError({ ...failure, reason: this.#redact(failure.reason) }, `${doing} in ${this.place}`, attempts);
  }

  close(): void {
    this.#client.destroy();
  }

  private aborted(doing: string): EiderError {
    return new EiderError('STORE_ABORTED', `${doing} in ${this.place} was aborted.`);
  }

  /** An answer to HEAD has no body, so a refusal of the clock looks like any other 403. */
  #refine(failure: StoreFailure): StoreFailure {
    const skew = this.#clockSkewMs ?? 0;
    if (failure.code === 'STORE_CLOCK_SKEW' || (failure.code === 'STORE_DENIED' && Math.abs(skew) > MAX_CLOCK_SKEW)) {
      const seconds = Math.round(Math.abs(skew) / 1000);
      const reason = `${failure.reason}; this machine's clock is ${seconds} s ${skew < 0 ? 'behind' : 'ahead'}`;
      return { ...failure, code: 'STORE_CLOCK_SKEW', reason };
    }
    return failure;
  }

  /** Some stores repeat the access key in their answers. */
  #redact(text: string): string {
    return text.replaceAll(this.config.secretAccessKey, '***').replaceAll(this.config.accessKeyId, '***');
  }
}
