import { createHash } from 'node:crypto';
import { z } from 'zod';
import { EiderError } from '../errors/eider-error.js';
import { codecOf } from '../block-pool/codec.js';
import type { EncryptionKey } from '../encryption/encryption-key.js';
import { extentPlace } from '../encryption/places.js';
import { seal } from '../encryption/seal.js';
import { extentKey } from './keys.js';
import type { Frame } from './manifest.js';

/** Blocks of one extent: 1 GiB of the database file. */
export const BLOCKS_PER_EXTENT = 4096;

/** The table of up to 4,096 consecutive blocks. */
export interface Extent {
  /** Number of the first block. */
  readonly first: number;
  /** The backup that stored the table first: no two backups make the same one, whatever they hold. */
  readonly by: string;
  /** One frame per block, in order. */
  readonly frames: readonly Frame[];
}

const headSchema = z.strictObject({
  format: z.literal(1),
  first: z.int().nonnegative(),
  count: z.int().positive().max(BLOCKS_PER_EXTENT),
  by: z.string().min(1),
  packs: z.array(z.string()).min(1),
});
const lineSchema = z.tuple([
  z.int().nonnegative(),
  z.int().nonnegative(),
  z.int().nonnegative(),
  z.string().regex(/^[0-9a-f]{64}$/),
]);

/**
 * The text of an extent: a head line `{format, first, count, by, packs}`, then a line per block
 * `[index of its pack, offset, length, "SHA-256 of the block"]`.
 */
export function encodeExtent(extent: Extent): Buffer {
  const packs = [...new Set(extent.frames.map((frame) => frame.pack))];
  const index = new Map(packs.map((pack, position) => [pack, position]));
  const head = { format: 1, first: extent.first, count: extent.frames.length, by: extent.by, packs };
  const lines = extent.frames.map(({ pack, offset, length, sha256 }) =>
    JSON.stringify([index.get(pack), offset, length, sha256]),
  );
  return Buffer.from(`${[JSON.stringify(head), ...lines].join('\n')}\n`);
}

/** An extent as it is stored. */
export interface StoredExtent {
  readonly key: string;
  readonly sha256: string;
  readonly first: number;
  readonly count: number;
  /** The compressed text, sealed where the backup is encrypted. */
  readonly body: Buffer;
}

/** Encodes and compresses an extent, and seals it where there is a key. */
export function storeExtent(extent: Extent, encryption?: EncryptionKey): StoredExtent {
  const text = encodeExtent(extent);
  const sha256 = extentHash(text);
  const key = extentKey(sha256, encryption !== undefined);
  const frame = codecOf('zstd').encode(text);
  const body = encryption === undefined ? Buffer.from(frame) : seal(encryption.bytes, extentPlace(key), frame);
  return { key, sha256, first: extent.first, count: extent.frames.length, body };
}

/** The identity of an extent: the SHA-256 of its text, also its key. */
export function extentHash(text: Buffer): string {
  return createHash('sha256').update(text).digest('hex');
}

/**
 * Reads the text of an extent.
 *
 * @throws EiderError EXTENT_CORRUPT
 */
export function decodeExtent(text: Buffer, expectedSha256: string): Extent {
  const damaged = (why: string): EiderError =>
    new EiderError('EXTENT_CORRUPT', `The block table ${expectedSha256} ${why}.`, {
      details: { extent: expectedSha256 },
    });
  if (extentHash(text) !== expectedSha256) throw damaged('does not match its SHA-256');
  // The hash was right, so what follows can only fail where the writer was wrong.
  const [headLine = '', ...lines] = text.toString('utf8').trimEnd().split('\n');
  const head = headSchema.parse(JSON.parse(headLine));
  if (lines.length !== head.count) throw damaged(`has ${lines.length} lines in place of ${head.count}`);
  const frames = lines.map((line): Frame => {
    const [packIndex, offset, length, sha256] = lineSchema.parse(JSON.parse(line));
    const pack = head.packs[packIndex];
    if (pack === undefined) throw damaged(`names pack ${packIndex}, which it does not list`);
    return { pack, offset, length, sha256 };
  });
  return { first: head.first, by: head.by, frames };
}
