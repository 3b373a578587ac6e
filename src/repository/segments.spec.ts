import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Frame } from './manifest.js';
import { segmentsOf } from './segments.js';

const KIB = 1024;
const frame = (pack: string, offset: number, length: number): Frame => ({
  pack,
  offset,
  length,
  sha256: '0'.repeat(64),
});
const ranges = (frames: readonly Frame[]): [string, number, number][] =>
  segmentsOf(frames).map(({ pack, start, end }) => [pack, start, end]);

describe('the reads of some frames', () => {
  it('join neighbours up to 8 MiB', () => {
    const frames = Array.from({ length: 40 }, (_, index) => frame('a', index * 256 * KIB, 256 * KIB));
    expect(ranges(frames)).toEqual([
      ['a', 0, 8192 * KIB],
      ['a', 8192 * KIB, 10_240 * KIB],
    ]);
  });

  it('join those of one pack although blocks of others lie between them', () => {
    const frames = [frame('a', 0, 100), frame('b', 7, 10), frame('a', 300, 50), frame('b', 17, 1)];
    expect(ranges(frames)).toEqual([
      ['a', 0, 350],
      ['b', 7, 18],
    ]);
  });

  it('do not fetch large gaps', () => {
    expect(ranges([frame('a', 0, 100), frame('a', 100 + 512 * KIB, 1), frame('a', 102 + 1024 * KIB, 1)])).toEqual([
      ['a', 0, 101 + 512 * KIB],
      ['a', 102 + 1024 * KIB, 103 + 1024 * KIB],
    ]);
  });

  it('hold every frame once, each within its read', () => {
    const anyFrame = fc.record({
      pack: fc.constantFrom('a', 'b', 'c'),
      offset: fc.integer({ min: 0, max: 50_000_000 }),
      length: fc.integer({ min: 1, max: 300_000 }),
      sha256: fc.string(),
    });
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 64 }), (frames) => {
        const segments = segmentsOf(frames);
        const held = segments.flatMap(({ frames: members }) => members);
        expect(held).toHaveLength(frames.length);
        expect(new Set(held)).toEqual(new Set(frames));
        for (const { pack, start, end, frames: members } of segments) {
          expect(end - start).toBeLessThanOrEqual(8192 * KIB);
          for (const member of members) {
            expect(member.pack).toBe(pack);
            expect(member.offset).toBeGreaterThanOrEqual(start);
            expect(member.offset + member.length).toBeLessThanOrEqual(end);
          }
        }
      }),
    );
  });
});
