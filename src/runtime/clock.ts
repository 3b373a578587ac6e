import { Injectable } from '@nestjs/common';
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

  /** Resolves after that many ms; rejects with an AbortError when the signal is aborted. */
  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await wait(ms, undefined, signal === undefined ? {} : { signal });
  }
}
