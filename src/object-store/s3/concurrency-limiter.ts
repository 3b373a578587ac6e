/** A turn at the store. */
export interface Turn {
  /** Gives the turn back; further calls do nothing. */
  release(): void;
  /** The request went well: the limit creeps up again. */
  succeeded(): void;
  /** The store asked to slow down (429, 503) or did not keep up: the limit is halved. */
  overloaded(): void;
}

/** Successes, per turn of the current limit, after which the limit grows by one. */
const PATIENCE = 4;

/**
 * Bounds the requests in flight to one store: additive increase, multiplicative decrease, as TCP does. R2 answers 429
 * and 5xx for the bucket as a whole, so one limit serves all requests of an adapter.
 */
export class ConcurrencyLimiter {
  #limit: number;
  #active = 0;
  #successes = 0;
  #round = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(private readonly max: number) {
    this.#limit = max;
  }

  /** Requests that may be in flight at the moment. */
  get limit(): number {
    return this.#limit;
  }

  /** Requests in flight. */
  get active(): number {
    return this.#active;
  }

  /** Waits for a turn, in order of arrival; ends with the signal's reason when that is aborted. */
  async acquire(signal?: AbortSignal): Promise<Turn> {
    signal?.throwIfAborted();
    if (this.#active >= this.#limit || this.#waiting.length > 0) await this.#wait(signal);
    else this.#active += 1;
    return this.#turn(this.#round);
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = (): void => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1);
        reject(signal?.reason as Error);
      };
      this.#waiting.push(go);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  #turn(round: number): Turn {
    let held = true;
    return {
      release: () => {
        if (!held) return;
        held = false;
        this.#active -= 1;
        this.#admit();
      },
      succeeded: () => this.#grow(),
      overloaded: () => {
        // All requests of a burst are refused together; they count once, or eight refusals would end at a limit of 1.
        if (round !== this.#round) return;
        this.#round += 1;
        this.#successes = 0;
        this.#limit = Math.max(1, Math.floor(this.#limit / 2));
      },
    };
  }

  #grow(): void {
    if (this.#limit === this.max) return;
    this.#successes += 1;
    if (this.#successes < this.#limit * PATIENCE) return;
    this.#successes = 0;
    this.#limit += 1;
    this.#admit();
  }

  #admit(): void {
    while (this.#active < this.#limit) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#active += 1;
      next();
    }
  }
}
