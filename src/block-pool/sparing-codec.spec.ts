import { describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { unzstd } from '../../test/support/zstd.js';
import { type Codec, codecOf } from './codec.js';
import { rawFrame, sparing } from './sparing-codec.js';

const BLOCK = 256 * 1024;

/** Counts the bytes that were given to be compressed. */
function counted(): { codec: Codec; bytes: () => number } {
  const zstd = codecOf('zstd');
  let bytes = 0;
  const encode = (content: Uint8Array): Uint8Array => {
    bytes += content.byteLength;
    return zstd.encode(content);
  };
  return { codec: sparing({ ...zstd, encode }), bytes: () => bytes };
}

describe('a codec that does not compress in vain', () => {
  it('stores what cannot be compressed as it is, after a look at a sample', () => {
    const { codec, bytes } = counted();
    codec.encode(randomBytes(BLOCK));
    expect(bytes()).toBe(BLOCK);
    const noise = randomBytes(BLOCK);
    const frame = codec.encode(noise);
    expect(bytes()).toBeLessThan(BLOCK * 1.05);
    expect(frame.byteLength).toBe(BLOCK + 9 + 2 * 3);
    expect(Buffer.from(codec.decode(frame)).equals(noise)).toBe(true);
  });

  it('notices when blocks can be compressed again, and looks at no sample of those', () => {
    const { codec, bytes } = counted();
    codec.encode(randomBytes(BLOCK));
    expect(codec.encode(Buffer.alloc(BLOCK)).byteLength).toBeLessThan(100);
    const before = bytes();
    codec.encode(Buffer.alloc(BLOCK));
    expect(bytes() - before).toBe(BLOCK);
  });

  it('compresses a block of which only a part can be', () => {
    const { codec } = counted();
    codec.encode(randomBytes(BLOCK));
    const half = Buffer.concat([randomBytes(BLOCK / 2), Buffer.alloc(BLOCK / 2)]);
    expect(codec.encode(half).byteLength).toBeLessThan(BLOCK * 0.55);
  });
});

describe('a frame of raw blocks', () => {
  const zstd = codecOf('zstd');

  it.each([0, 1, 12_288, 131_071, 131_072, 131_073, 262_144])('of %i bytes is read by every decoder', (length) => {
    const bytes = randomBytes(length);
    const frame = rawFrame(bytes);
    expect(Buffer.from(zstd.decode(frame)).equals(bytes)).toBe(true);
    // Joined with others, as in a pack: by the decoder that reads whole packs.
    const joined = unzstd(Buffer.concat([frame, zstd.encode(Buffer.from('end'))]));
    expect(joined.equals(Buffer.concat([bytes, Buffer.from('end')]))).toBe(true);
  });
});
