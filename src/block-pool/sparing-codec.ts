import type { Codec } from './codec.js';

/** Taken of a block to see whether it can be compressed: pieces from its whole length, since its segments differ. */
const SAMPLE = { pieces: 4, bytes: 3 * 1024 };
/** What keeps more than this share of its size is not worth the processor time. */
const WORTH_IT = 0.97;

/** Most bytes of one block of a zstd frame. */
const BLOCK_MAXIMUM = 128 * 1024;
/** Magic number; then a descriptor: a single segment, content size in four bytes. */
const FRAME_HEADER = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0]);

/**
 * A codec that does not compress in vain: where the bytes before could not be compressed, a sample of the next ones decides.
 *
 * What is not compressed is a zstd frame all the same, of raw blocks, so every decoder reads it. Bytes that can be
 * compressed cost nothing more; those that cannot, a twentieth.
 */
export function sparing(codec: Codec): Codec {
  let inVain = false;
  return {
    encode: (bytes) => {
      if (inVain && bytes.byteLength > SAMPLE.pieces * SAMPLE.bytes) {
        const sample = sampleOf(bytes);
        if (codec.encode(sample).byteLength > WORTH_IT * sample.byteLength) return rawFrame(bytes);
      }
      const frame = codec.encode(bytes);
      inVain = frame.byteLength > WORTH_IT * bytes.byteLength;
      return frame;
    },
    decode: (frame) => codec.decode(frame),
  };
}

/** A zstd frame that holds bytes as they are: RFC 8878, sections 3.1.1.1 and 3.1.1.2. */
export function rawFrame(bytes: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(bytes.byteLength / BLOCK_MAXIMUM));
  const frame = Buffer.allocUnsafe(FRAME_HEADER.length + 4 + 3 * blocks + bytes.byteLength);
  let at = FRAME_HEADER.copy(frame);
  at = frame.writeUInt32LE(bytes.byteLength, at);
  for (let block = 0; block < blocks; block++) {
    const content = bytes.subarray(block * BLOCK_MAXIMUM, (block + 1) * BLOCK_MAXIMUM);
    const isLast = block === blocks - 1 ? 1 : 0;
    // Bit 0: the last block; bits 1 and 2: its type, 0 for raw; then its size.
    at = frame.writeUIntLE((content.byteLength << 3) | isLast, at, 3);
    frame.set(content, at);
    at += content.byteLength;
  }
  return frame;
}

function sampleOf(bytes: Uint8Array): Uint8Array {
  const sample = new Uint8Array(SAMPLE.pieces * SAMPLE.bytes);
  const step = Math.floor((bytes.byteLength - SAMPLE.bytes) / (SAMPLE.pieces - 1));
  for (let piece = 0; piece < SAMPLE.pieces; piece++) {
    const start = piece * step;
    sample.set(bytes.subarray(start, start + SAMPLE.bytes), piece * SAMPLE.bytes);
  }
  return sample;
}
