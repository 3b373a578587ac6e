import { Inject, Injectable } from '@nestjs/common';
import { isEiderError, messageOf } from '../errors/eider-error.js';
import { checkWritable } from '../object-store/doctor.js';
import { OBJECT_STORE, type ObjectStore } from '../object-store/object-store.js';
import { S3ObjectStore } from '../object-store/s3/s3-object-store.js';
import { Clock } from '../runtime/clock.js';

/** Whether a backup could be written, when it was tried last. */
export interface StoreFinding {
  readonly checkedAt: string;
  readonly writable: boolean;
  readonly latencyMs: number;
  /** Code and text of what the write ended with; null where it went well. */
  readonly code: string | null;
  readonly error: string | null;
}

/**
 * How long a finding stands, ms. One write each five minutes is 8,640 class A requests a month, below one per cent of what
 * R2 gives for free, however often health is asked for.
 */
export const GOOD_FOR_MS = 300_000;
/** A failed one is tried again sooner, so that the end of an outage is seen. */
export const BAD_FOR_MS = 30_000;
/** How long the store may take, ms. */
const PATIENCE_MS = 5_000;

/** Tries to write to the store, at most once in a while, however often it is asked. */
@Injectable()
export class StoreProbe {
  #finding: StoreFinding | undefined;
  #goodUntil = 0;
  #running: Promise<StoreFinding> | undefined;

  constructor(
    @Inject(OBJECT_STORE) private readonly store: ObjectStore,
    private readonly clock: Clock,
  ) {}

  get description(): string {
    return this.store.description;
  }

  /** Whether the store refuses to create a key twice, which keeps two writers apart; `unknown` before it was tried. */
  get conditionalWrites(): 'yes' | 'no' | 'unknown' {
    return this.store instanceof S3ObjectStore ? this.store.conditionalWrites : 'yes';
  }

  async look(): Promise<StoreFinding> {
    if (this.#finding !== undefined && this.clock.monotonicMs() < this.#goodUntil) return this.#finding;
    this.#running ??= this.#try().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #try(): Promise<StoreFinding> {
    const begun = this.clock.monotonicMs();
    const late = AbortSignal.timeout(PATIENCE_MS);
    let code: string | null = null;
    let error: string | null = null;
    try {
      await checkWritable(this.store, { signal: late });
    } catch (thrown) {
      code = late.aborted ? 'STORE_UNAVAILABLE' : isEiderError(thrown) ? thrown.code : 'INTERNAL';
      error = late.aborted ? `no answer within ${PATIENCE_MS} ms` : messageOf(thrown);
    }
    const now = this.clock.monotonicMs();
    const checkedAt = this.clock.now().toISOString();
    this.#finding = { checkedAt, writable: error === null, latencyMs: Math.round(now - begun), code, error };
    this.#goodUntil = now + (error === null ? GOOD_FOR_MS : BAD_FOR_MS);
    return this.#finding;
  }
}
