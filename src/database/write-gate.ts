import { EiderError } from '../errors/eider-error.js';

/** What closing the gate came to. */
export interface DrainResult {
  readonly drained: boolean;
  /** Writes that are still under way. */
  readonly inFlight: number;
}

/** Seconds after which a refused writer may come again. */
const RETRY_AFTER_SECONDS = 5;

/**
 * Lets writes through, or holds them off.
 *
 * Several may hold it closed at once, each under a reason of its own; it is open when none does.
 */
export class WriteGate {
  readonly #reasons = new Set<string>();
  #inFlight = 0;
  #waiting: (() => void)[] = [];

  get isOpen(): boolean {
    return this.#reasons.size === 0;
  }

  /** Why writes are held off; undefined while they are not. */
  get reason(): string | undefined {
    return [...this.#reasons][0];
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Counts a write in; the caller counts it out with what is returned. Throws DATABASE_READ_ONLY. */
  enter(): () => void {
    if (this.reason !== undefined) {
      throw new EiderError('DATABASE_READ_ONLY', `Writes are paused: ${this.reason}.`, {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
    this.#inFlight++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#inFlight--;
      if (this.#inFlight === 0) for (const wake of this.#waiting.splice(0)) wake();
    };
  }

  /** Lets no further write in and waits for those under way, at most `drainMs`. */
  async close(reason: string, options: { readonly drainMs?: number } = {}): Promise<DrainResult> {
    this.#reasons.add(reason);
    await this.drain(options.drainMs ?? 0);
    return { drained: this.#inFlight === 0, inFlight: this.#inFlight };
  }

  /** Lets writes in again, where nobody else holds them off. */
  open(reason: string): void {
    this.#reasons.delete(reason);
  }

  /** Resolves when no write is under way, or after `ms`. */
  async drain(ms: number): Promise<void> {
    if (this.#inFlight === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
      this.#waiting.push(resolve);
    });
    clearTimeout(timer);
  }
}
