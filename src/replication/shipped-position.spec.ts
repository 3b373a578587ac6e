import { describe, expect, it } from '@jest/globals';
import { ShippedPosition } from './shipped-position.js';

const at = (iteration: number, offset: number) => ({ iteration, offset });

describe('a position that is waited for', () => {
  it('is reached when that or a later one is in the store', async () => {
    const shipped = new ShippedPosition();
    const [first, second] = [shipped.reached(at(3, 100)), shipped.reached(at(3, 200))];
    let isSecond = false;
    void second.then(() => (isSecond = true));
    shipped.advance(at(3, 100));
    await first;
    expect(isSecond).toBe(false);
    expect(shipped.isAwaited).toBe(true);
    shipped.advance(at(4, 0));
    await second;
    expect(shipped.isAwaited).toBe(false);
    await shipped.reached(at(3, 999));
  });

  it('never goes back', () => {
    const shipped = new ShippedPosition();
    shipped.advance(at(4, 0));
    shipped.advance(at(3, 500));
    expect(shipped.current).toEqual(at(4, 0));
  });

  it('is given up with the reason, by those who wait and those who come later', async () => {
    const shipped = new ShippedPosition();
    const waiting = shipped.reached(at(3, 100));
    shipped.fail(new Error('replaced'));
    await expect(waiting).rejects.toThrow('replaced');
    await expect(shipped.reached(at(3, 100))).rejects.toThrow('replaced');
    shipped.reset();
    shipped.advance(at(3, 100));
    await shipped.reached(at(3, 100));
  });

  it('is not waited for any longer when the signal says so', async () => {
    const shipped = new ShippedPosition();
    const abort = new AbortController();
    const waiting = shipped.reached(at(3, 100), abort.signal);
    abort.abort(new Error('late'));
    await expect(waiting).rejects.toThrow('late');
    expect(shipped.isAwaited).toBe(false);
  });
});
