import { describe, expect, it } from '@jest/globals';
import { setImmediate } from 'node:timers/promises';
import { ChunkSource } from '../chunk-source.js';
import { PartAssembler } from './part-assembler.js';
import { bodyOf } from './signed-body.js';

const MIB = 1024 * 1024;
/** Of 256 KiB each. */
const SLICES_PER_MIB = 4;

describe('the main thread is free again after each slice', () => {
  it('while a part is filled with chunks that are there already', async () => {
    const assembler = new PartAssembler(new ChunkSource(chunks(3), new AbortController().signal), 8 * MIB);
    const { result, turns } = await countingTurns(() => assembler.next());
    expect(turns).toBeGreaterThanOrEqual(8 * SLICES_PER_MIB - 1);
    expect(result.last).toBe(false);
    expect(result.part.equals(Buffer.alloc(8 * MIB, 1))).toBe(true);
    expect((await assembler.next()).part.equals(Buffer.alloc(4 * MIB, 1))).toBe(true);
  });

  it('while a part goes to a socket that takes all of it', async () => {
    const part = Buffer.alloc(4 * MIB, 2);
    const { result, turns } = await countingTurns(async () => {
      const sent: Buffer[] = [];
      for await (const slice of bodyOf(part)) sent.push(Buffer.from(slice as Buffer));
      return Buffer.concat(sent);
    });
    expect(turns).toBeGreaterThanOrEqual(4 * SLICES_PER_MIB - 1);
    expect(result.equals(part)).toBe(true);
  });
});

async function* chunks(count: number): AsyncGenerator<Buffer, void, void> {
  for (let n = 0; n < count; n++) yield await Promise.resolve(Buffer.alloc(4 * MIB, 1));
}

/** How often the event loop came round while the work was done. */
async function countingTurns<T>(work: () => Promise<T>): Promise<{ result: T; turns: number }> {
  let [turns, done] = [0, false];
  const counting = (async () => {
    for (; !done; turns++) await setImmediate();
  })();
  const result = await work();
  done = true;
  await counting;
  return { result, turns };
}
