import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { inOrder } from './in-order.js';

/** Tasks that end when the test says so, in the order of its choice. */
class Gates {
  readonly #gates = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  readonly started: number[] = [];
  underWay = 0;
  most = 0;

  run = (task: number): Promise<number> => {
    this.started.push(task);
    this.most = Math.max(this.most, ++this.underWay);
    return new Promise<number>((resolve, reject) => {
      this.#gates.set(task, { resolve: () => resolve(task * 10), reject });
    }).finally(() => this.underWay--);
  };

  end(task: number): void {
    this.#gates.get(task)?.resolve();
  }

  fail(task: number): void {
    this.#gates.get(task)?.reject(new Error(`task ${task}`));
  }
}

/** Lets everything that is ready go on. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('tasks side by side', () => {
  it('give their results in the order of the tasks, whatever order they end in', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 12 }),
        fc.integer({ min: 1, max: 5 }),
        fc.infiniteStream(fc.nat(100)),
        async (count, width, choices) => {
          const gates = new Gates();
          const results: number[] = [];
          const consuming = (async () => {
            for await (const result of inOrder(
              Array.from({ length: count }, (_, task) => task),
              width,
              gates.run,
            ))
              results.push(result);
          })();
          const open = new Set<number>();
          for (let ended = 0; ended < count; ended++) {
            await settle();
            gates.started.slice(ended + open.size).forEach((task) => open.add(task));
            const ready = [...open];
            const chosen = ready[choices.next().value % ready.length] ?? 0;
            open.delete(chosen);
            gates.end(chosen);
          }
          await consuming;
          expect(results).toEqual(Array.from({ length: count }, (_, task) => task * 10));
          expect(gates.most).toBeLessThanOrEqual(width);
          expect(gates.most).toBe(Math.min(width, count));
        },
      ),
      { numRuns: 50 },
    );
  });

  it('are as many as the width says at the moment', async () => {
    const gates = new Gates();
    let width = 1;
    const consuming = (async () => {
      for await (const result of inOrder([0, 1, 2, 3, 4, 5], () => width, gates.run)) if (result === 0) width = 3;
    })();
    await settle();
    expect(gates.started).toEqual([0]);
    gates.end(0);
    await settle();
    expect(gates.started).toEqual([0, 1, 2, 3]);
    width = 1;
    gates.end(1);
    gates.end(2);
    await settle();
    expect(gates.started).toEqual([0, 1, 2, 3]);
    gates.end(3);
    await settle();
    expect(gates.started).toEqual([0, 1, 2, 3, 4]);
    gates.end(4);
    await settle();
    gates.end(5);
    await consuming;
  });

  it('are held back by a slow consumer', async () => {
    const gates = new Gates();
    const results = inOrder([0, 1, 2, 3, 4], 2, gates.run);
    const first = results.next();
    await settle();
    [0, 1].forEach((task) => gates.end(task));
    expect(await first).toEqual({ value: 0, done: false });
    await settle();
    expect(gates.started).toEqual([0, 1]);
    const second = results.next();
    await settle();
    expect(gates.started).toEqual([0, 1, 2]);
    expect(await second).toEqual({ value: 10, done: false });
    const leaving = results.return();
    await settle();
    gates.end(2);
    await leaving;
  });

  it('stop at the first failure, in its turn, and are awaited', async () => {
    const gates = new Gates();
    const seen: number[] = [];
    const consuming = (async () => {
      for await (const result of inOrder([0, 1, 2, 3, 4, 5], 3, gates.run)) seen.push(result);
    })();
    let settled = false;
    const outcome = consuming.catch((error: unknown) => String(error)).finally(() => (settled = true));
    await settle();
    gates.fail(1);
    await settle();
    expect(seen).toEqual([]);
    gates.end(0);
    await settle();
    expect(seen).toEqual([0]);
    expect(settled).toBe(false);
    gates.end(2);
    gates.end(3);
    expect(await outcome).toBe('Error: task 1');
    expect(gates.started).toEqual([0, 1, 2, 3]);
    expect(gates.underWay).toBe(0);
  });

  it('are awaited when the consumer leaves', async () => {
    const gates = new Gates();
    let left = false;
    const consuming = (async () => {
      for await (const result of inOrder([0, 1, 2, 3, 4], 2, gates.run)) if (result === 0) break;
      left = true;
    })();
    await settle();
    gates.end(0);
    await settle();
    expect(left).toBe(false);
    gates.end(1);
    await consuming;
    expect(gates.started).toEqual([0, 1]);
    expect(gates.underWay).toBe(0);
  });

  it('are awaited when their source fails', async () => {
    const gates = new Gates();
    async function* source(): AsyncGenerator<number, void, void> {
      yield 0;
      await settle();
      throw new Error('the disk');
    }
    let settled = false;
    const outcome = inOrder(source(), 4, gates.run)
      .next()
      .catch((error: unknown) => String(error))
      .finally(() => (settled = true));
    await settle();
    await settle();
    expect(settled).toBe(false);
    gates.end(0);
    expect(await outcome).toBe('Error: the disk');
  });
});
