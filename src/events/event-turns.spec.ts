import { describe, expect, it } from '@jest/globals';
import { EventTurns } from './event-turns.js';

function gate(): { opened: Promise<void>; open: () => void } {
  let open: () => void = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

describe('turns on events', () => {
  it('come in the order of asking, one at a time', async () => {
    const turns = new EventTurns();
    const seen: string[] = [];
    const first = gate();
    const one = turns.take(1, async () => {
      seen.push('one begins');
      await first.opened;
      seen.push('one ends');
    });
    const two = turns.take(1, () => Promise.resolve(seen.push('two')));
    const three = turns.take(1, () => Promise.resolve(seen.push('three')));
    await turns.take(2, () => Promise.resolve(seen.push('another event')));
    first.open();
    await Promise.all([one, two, three]);
    expect(seen).toEqual(['one begins', 'another event', 'one ends', 'two', 'three']);
  });

  it('go on after work that failed, and hand its failure to its caller only', async () => {
    const turns = new EventTurns();
    const failing = turns.take(1, () => Promise.reject(new Error('no seat')));
    const next = turns.take(1, () => Promise.resolve('next'));
    await expect(failing).rejects.toThrow('no seat');
    await expect(next).resolves.toBe('next');
    await expect(turns.take(1, () => Promise.resolve('later'))).resolves.toBe('later');
  });
});
