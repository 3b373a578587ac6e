import { EiderError } from '../errors/eider-error.js';

/** What closing the gate came to. */
export interface DrainResult {
  readonly drained: boolean;
  /** Writes that are still under way. */
  readonly inFlight: number;
}

export interface EntryOptions {
  /** Comes in although the gate is closed, for whoever closed it. */
  readonly whileClosed?: boolean;
  /** Ends the wait for exclusive work. */
  readonly signal?: AbortSignal;
}

/** Seconds after which a refused writer may come again. */
const RETRY_AFTER_SECONDS = 5;

/**
 * Lets writes through, holds them off, or makes them wait for something that must not happen beside a write.
 *
 * Several may hold it closed at once, each under a reason of its own; it is open when none does.
 */
export class WriteGate {
  readonly #reasons = new Set<string>();
  #inFlight = 0;
  #exclusive = false;
  readonly #untilDrained = new Set<() => void>();
  readonly #untilLetIn = new Set<() => void>();

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

  /**
   * Counts a write in, after exclusive work under way; the caller counts it out with what is returned. Throws
   * DATABASE_READ_ONLY, and the signal's reason.
   */
  async enter({ whileClosed = false, signal }: EntryOptions = {}): Promise<() => void> {
    for (;;) {
      if (this.reason !== undefined && !whileClosed) {
        throw new EiderError('DATABASE_READ_ONLY', `Writes are paused: ${this.reason}.`, {
          retryAfterSeconds: RETRY_AFTER_SECONDS,
        });
      }
      if (!this.#exclusive) break;
      await wakened(this.#untilLetIn, signal);
    }
    this.#inFlight++;
    return once(() => {
      this.#inFlight--;
      if (this.#inFlight === 0) wakeAll(this.#untilDrained);
    });
  }

  /** Lets no further write in and waits for those under way, at most `drainMs`. */
  async close(reason: string, options: { readonly drainMs?: number } = {}): Promise<DrainResult> {
    this.#reasons.add(reason);
    // Those that wait for exclusive work are refused now rather than then.
    wakeAll(this.#untilLetIn);
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
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), ms);
    await wakened(this.#untilDrained, late.signal).catch(() => {});
    clearTimeout(timer);
  }

  /**
   * Makes new writes wait, without refusing them, until the returned function is called. One at a time.
   *
   * @returns undefined where the writes under way did not end in `drainMs`; then none is kept waiting any longer
   */
  async exclude(drainMs: number): Promise<(() => void) | undefined> {
    this.#exclusive = true;
    const letIn = once(() => {
      this.#exclusive = false;
      wakeAll(this.#untilLetIn);
    });
    await this.drain(drainMs);
    if (this.#inFlight === 0) return letIn;
    letIn();
    return undefined;
  }
}

/** Waits to be woken. Rejects with the signal's reason when it is aborted before. */
async function wakened(waiting: Set<() => void>, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const leave = (): void => {
      waiting.delete(wake);
      signal?.removeEventListener('abort', abort);
    };
    const wake = (): void => {
      leave();
      resolve();
    };
    const abort = (): void => {
      leave();
      reject(signal?.reason as Error);
    };
    signal?.addEventListener('abort', abort, { once: true });
    waiting.add(wake);
  });
}

function wakeAll(waiting: Set<() => void>): void {
  for (const wake of waiting) wake();
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
