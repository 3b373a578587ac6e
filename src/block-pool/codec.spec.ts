import { describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { codecOf, mostEncoded } from './codec.js';

describe('a frame', () => {
  it.each(['zstd', 'none'] as const)('of %s gives back what was put in', (compression) => {
    const block = randomBytes(1000);
    const codec = codecOf(compression);
    expect(Buffer.from(codec.decode(codec.encode(block))).equals(block)).toBe(true);
  });

  it.each([0, 1, 12_288, 262_144])('of %i random bytes fits into the most that is reserved for it', (length) => {
    const frame = codecOf('zstd').encode(randomBytes(length));
    expect(frame.byteLength).toBeLessThanOrEqual(mostEncoded(length));
  });

  it('that was cut is refused', () => {
    const frame = codecOf('zstd').encode(randomBytes(1000));
    expect(() => codecOf('zstd').decode(frame.subarray(0, 500))).toThrow();
  });
});
