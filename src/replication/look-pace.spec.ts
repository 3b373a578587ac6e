import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { appendFile, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Clock } from '../runtime/clock.js';
import { LogWatch } from './log-watch.js';
import { LookPace } from './look-pace.js';

/** Time passes only where it is waited for, and then in no time; a long wait is ended by a write, or by `over`. */
class PaceClock extends Clock {
  readonly waits: number[] = [];
  over: () => void = () => {};
  #time = 0;

  override monotonicMs(): number {
    return this.#time;
  }

  override async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.waits.push(ms);
    this.#time += ms;
    // Events of the system come meanwhile.
    if (ms < 1000) return super.sleep(2);
    await new Promise<void>((resolve) => {
      this.over = resolve;
      signal?.addEventListener('abort', () => resolve());
    });
  }
}

const NOTHING = { found: false, busy: false };
const FOUND = { found: true, busy: false };

let folder: string;
let elsewhere: string;
let clock: PaceClock;
let watch: LogWatch;
let pace: LookPace;
const { signal } = new AbortController();

beforeEach(async () => {
  Logger.overrideLogger(false);
  folder = await mkdtemp(join(tmpdir(), 'eider-pace-'));
  elsewhere = await mkdtemp(join(tmpdir(), 'eider-pace-'));
  clock = new PaceClock();
  watch = new LogWatch(join(folder, 'a.duckdb'));
  pace = new LookPace(watch, clock);
});
afterEach(async () => {
  pace.close();
  await rm(folder, { recursive: true });
  await rm(elsewhere, { recursive: true });
});

/** Lets nothing happen until a write is waited for. */
async function calmDown(): Promise<{ readonly next: Promise<void> }> {
  for (;;) {
    const next = pace.next(NOTHING, signal);
    await new Promise(setImmediate);
    if (clock.waits.at(-1) === 1000) return { next };
    await next;
  }
}
const write = (name: string): Promise<void> => appendFile(join(folder, name), 'a commit');

describe('the log is looked at', () => {
  it('every 50 ms until nothing was found for a second, and then when something is written', async () => {
    await pace.next(FOUND, signal);
    const { next } = await calmDown();
    await write('a.duckdb.wal');
    await next;
    expect(clock.waits).toEqual([...Array<number>(20).fill(50), 1000]);
  });

  it('no more often than that, however often it is written', async () => {
    const { next } = await calmDown();
    await write('a.duckdb.wal');
    await next;
    const before = clock.waits.length;
    // Most writes end no commit.
    for (let look = 0; look < 15; look++) {
      await write('a.duckdb.wal');
      await pace.next(NOTHING, signal);
      expect(watch.isOpen).toBe(false);
    }
    expect(clock.waits.slice(before)).toEqual(Array(15).fill(50));
  });

  it('when another log takes its place', async () => {
    await write('a.duckdb.wal.checkpoint');
    const { next } = await calmDown();
    await rename(join(folder, 'a.duckdb.wal.checkpoint'), join(folder, 'a.duckdb.wal'));
    await next;
  });

  it('not for other files beside it', async () => {
    let isOver = false;
    const { next } = await calmDown();
    void next.then(() => (isOver = true));
    await write('a.duckdb.eider.json');
    await clock.sleep(50);
    expect(isOver).toBe(false);
    await write('a.duckdb.wal');
    await next;
  });

  it('every 50 ms for ever once something was found that was not told of', async () => {
    // As on a file system of other machines.
    pace = new LookPace(new LogWatch(join(elsewhere, 'a.duckdb')), clock);
    const { next } = await calmDown();
    clock.over();
    await next;
    const before = clock.waits.length;
    await pace.next(FOUND, signal);
    for (let look = 0; look < 50; look++) await pace.next(NOTHING, signal);
    expect(clock.waits.slice(before)).toEqual(Array(51).fill(50));
  });

  it('every 50 ms where the system cannot watch', async () => {
    pace = new LookPace(new LogWatch(join(folder, 'missing', 'a.duckdb')), clock);
    for (let look = 0; look < 50; look++) await pace.next(NOTHING, signal);
    expect(new Set(clock.waits)).toEqual(new Set([50]));
  });

  it('at once when it is to end', async () => {
    const stop = new AbortController();
    while (clock.waits.at(-1) !== 1000) {
      const next = pace.next(NOTHING, stop.signal);
      await new Promise(setImmediate);
      if (clock.waits.at(-1) === 1000) stop.abort();
      await next;
    }
  });
});
