import { Logger } from '@nestjs/common';
import type { Clock } from '../runtime/clock.js';
import type { LogWatch } from './log-watch.js';

/** How often the log is looked at while something is going on, ms: the resolution of points in time. */
const TICK_MS = 50;
/** How long nothing must have happened before writes are waited for, ms. */
const CALM_MS = 1_000;
/** How often the log is looked at while nothing happens, ms: whether a watch tells of every write is found out by looking. */
const SLOW_TICK_MS = 1_000;

/** What the last look at the log showed. */
export interface LookResult {
  /** Whether there was something new. */
  readonly found: boolean;
  /** Whether something is to be done that does not wait for a write. */
  readonly busy: boolean;
}

/**
 * When the log is looked at: every 50 ms while something is going on, and otherwise as soon as something is written.
 *
 * The watch is open while nothing happens only, so that a busy writer costs no more than the looks do, however often it
 * writes. Where a look finds what the watch did not tell of, as on some file systems, the watch is never relied on again.
 */
export class LookPace {
  readonly #logger = new Logger('Replication');
  #isReliable = true;
  #busyUntil = 0;
  /** Whether the log was looked at since the watch was opened: what is found later must have been told of. */
  #isWatching = false;

  constructor(
    private readonly watch: Pick<LogWatch, 'open' | 'close' | 'isOpen' | 'hasAnnounced' | 'onAnnounced'>,
    private readonly clock: Clock,
  ) {}

  /** Resolves when the log is to be looked at again, and when the signal is aborted. */
  async next({ found, busy }: LookResult, signal: AbortSignal): Promise<void> {
    const now = this.clock.monotonicMs();
    if (found || busy || this.watch.hasAnnounced) this.#busyUntil = now + CALM_MS;
    if (now < this.#busyUntil || !this.#isReliable) {
      await this.#pause(TICK_MS, signal);
      // By now it has told of what the look found.
      if (found && this.#isWatching && !this.watch.hasAnnounced) this.#distrust();
      this.close();
    } else if (this.watch.isOpen) {
      this.#isWatching = true;
      await this.#wait(signal);
    } else if (!this.watch.open()) {
      this.#distrust();
    }
    // Once it is open, what was written before is looked for.
  }

  /** Idempotent. */
  close(): void {
    this.#isWatching = false;
    this.watch.close();
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const end = (): void => over.abort();
    this.watch.onAnnounced(end);
    signal.addEventListener('abort', end);
    if (!this.watch.hasAnnounced) await this.#pause(SLOW_TICK_MS, over.signal);
    signal.removeEventListener('abort', end);
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    await this.clock.sleep(ms, signal).catch(() => {});
  }

  #distrust(): void {
    this.#isReliable = false;
    this.#logger.log(`writes to the log are not announced here: it is looked at every ${TICK_MS} ms`);
  }
}
