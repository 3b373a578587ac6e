import { describe, expect, it } from '@jest/globals';
import { REQUESTS_AT_ONCE } from '../object-store/object-store.js';
import { ReadAhead } from './read-ahead.js';

const MIB = 1024 * 1024;

function after(records: number, bytes: number, ahead = new ReadAhead()): ReadAhead {
  for (let record = 0; record < records; record++) ahead.saw(bytes);
  return ahead;
}

describe('how many records are read ahead', () => {
  it('begins with a few, since they may be large', () => {
    expect(new ReadAhead().width()).toBe(8);
  });

  it('is as many as there may be requests where they are small', () => {
    expect(after(100, 1_200).width()).toBe(REQUESTS_AT_ONCE);
  });

  it('is what fits into 64 MiB where they are large', () => {
    expect(after(100, 8 * MIB).width()).toBe(8);
    expect(after(1, 200 * MIB).width()).toBe(1);
  });

  it('grows again some time after a large one', () => {
    const ahead = after(1, 8 * MIB, after(100, 1_200));
    expect(ahead.width()).toBe(8);
    expect(after(3, 1_200, ahead).width()).toBeLessThan(16);
    expect(after(30, 1_200, ahead).width()).toBe(REQUESTS_AT_ONCE);
  });
});
