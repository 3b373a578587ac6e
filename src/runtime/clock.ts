import { Injectable } from './injection.js';
import { setTimeout as wait } from 'node:timers/promises';

/** Time, as the code sees it; tests put their own in its place. */
@Injectable()
export class Clock {
  now(): Date {
    return new Date();
  }

  /** Milliseconds that only ever grow, for durations. */
  monotonicMs(): number {
    return performance.now();
  }

  /** Does something every so many ms until it is told to stop. It does not keep the process alive. */
  every(ms: number, work: () => void): () => void {
    const timer = setInterval(work, ms).unref();
    return () => clearInterval(timer);
  }

  /** Resolves after that many ms; rejects with an AbortError when the signal is aborted. */
  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await wait(ms, undefined, signal === undefined ? {} : { signal });
  }
}
