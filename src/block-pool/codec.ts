import { createRequire } from 'node:module';
import * as zlib from 'node:zlib';
import { BLOCK_SIZE } from '../duckdb-format/layout.js';
import { sparing } from './sparing-codec.js';

/** How frames are stored. */
export type Compression = 'zstd' | 'none';

/** Compresses and decompresses one frame at a time. Synchronous: it belongs into worker threads. */
export interface Codec {
  /** One complete frame. It may share the memory of `bytes`. */
  encode(bytes: Uint8Array): Uint8Array;
  /** The content of exactly one frame; throws when it is cut or damaged beyond recognition. Integrity is the caller's. */
  decode(frame: Uint8Array): Uint8Array;
}

/** Most bytes that a frame of so many takes (`ZSTD_compressBound`, with the frame's own header). */
export function mostEncoded(length: number): number {
  return length + (length >> 7) + 1024;
}

/** Level 1: at 330 MB/s it keeps up with the disk; level 3 gains 2 % on DuckDB's own compressed blocks. */
const LEVEL = 1;

/** Node's own zstd from 22.15 on. */
interface ZlibZstd {
  zstdCompressSync(bytes: Uint8Array, options: { params: Record<number, number>; chunkSize: number }): Buffer;
  zstdDecompressSync(bytes: Uint8Array, options: { chunkSize: number }): Buffer;
  constants: { ZSTD_c_compressionLevel: number };
}

/** Loaded where it is needed only. By `import` it takes each thread 30 ms, most of it to find out what it exports. */
type ZstdPackage = typeof import('@toondepauw/node-zstd');

const hasZstd = (module: object): module is ZlibZstd => 'zstdCompressSync' in module;

/** The codec of this Node: its own zstd, or on Node 20 the one of a package that carries its binary. */
function createZstdCodec(): Codec {
  const native: object = zlib;
  if (hasZstd(native)) {
    const params = { [native.constants.ZSTD_c_compressionLevel]: LEVEL };
    // In one piece: of pieces of 16 KiB, Node's default, it takes a quarter longer.
    return {
      encode: (bytes) => native.zstdCompressSync(bytes, { params, chunkSize: mostEncoded(bytes.byteLength) }),
      decode: (frame) => native.zstdDecompressSync(frame, { chunkSize: BLOCK_SIZE + 1 }),
    };
  }
  const { Decoder, Encoder }: ZstdPackage = createRequire(import.meta.url)('@toondepauw/node-zstd');
  const encoder = new Encoder(LEVEL);
  const decoder = new Decoder();
  return {
    encode: (bytes) => encoder.encodeSync(asBuffer(bytes)),
    decode: (frame) => decoder.decodeSync(asBuffer(frame)),
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const plain: Codec = { encode: (bytes) => bytes, decode: (frame) => frame };
let zstd: Codec | undefined;

/** The codec for a compression; one per thread. */
export function codecOf(compression: Compression): Codec {
  if (compression === 'none') return plain;
  zstd ??= sparing(createZstdCodec());
  return zstd;
}
