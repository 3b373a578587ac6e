import { createHash } from 'node:crypto';
import { readSync, writeSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { framePlace } from '../encryption/places.js';
import { seal as sealed, unseal } from '../encryption/seal.js';
import { type Codec, codecOf } from './codec.js';
import { freeNativeGarbage } from './native-garbage.js';
import type {
  BlockTask,
  DecodeResult,
  DecodeTask,
  DigestResult,
  DigestTask,
  EncodedRange,
  EncodeResult,
  EncodeTask,
  FileRange,
  FrameSeal,
  HashResult,
  HashTask,
  ReuseResult,
  ReuseTask,
  WantedBlock,
} from './block-tasks.js';

// Queries and requests come first: where the cores are few, a backup waits for them and not they for it. On Linux alone this
// is the thread's own priority; elsewhere it would be that of the whole process.
if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_LOW);

/**
 * Runs in a worker thread. Descriptors belong to the process, so the thread reads the database file through the one that
 * the main thread keeps open, and never closes it: closing any descriptor of that file drops DuckDB's lock.
 */
export default async function run(
  task: BlockTask,
): Promise<EncodeResult | DecodeResult | HashResult | ReuseResult | DigestResult> {
  // What the task before has left. Node gives it back in a turn of the event loop, which does not come by itself while the
  // next task is always there before the thread has looked for it.
  freeNativeGarbage();
  await setImmediate();
  switch (task.kind) {
    case 'encode':
      return encode(task);
    case 'decode':
      return decode(task);
    case 'hash':
      return hash(task);
    case 'reuse':
      return reuse(task);
    case 'digest':
      return digest(task);
  }
}

function encode({ descriptor, ranges, compression, target, known, seal, firstBlock }: EncodeTask): EncodeResult {
  const codec = codecOf(compression);
  const frames = new Uint8Array(target);
  const results: EncodedRange[] = [];
  let length = 0;
  for (const [index, range] of ranges.entries()) {
    const bytes = readRange(descriptor, range);
    if (bytes === undefined) throw new Error(`the file ends before byte ${range.offset + range.length}`);
    const sha256 = sha256Of(bytes);
    if (known?.[index] === sha256) {
      results.push({ sha256, length: 0 });
      continue;
    }
    const content = codec.encode(bytes);
    const frame = seal === undefined ? content : sealed(seal.key, framePlace(seal.pack, firstBlock + index), content);
    frames.set(frame, length);
    results.push({ sha256, length: frame.byteLength });
    length += frame.byteLength;
  }
  return { ranges: results, length };
}

function decode({ descriptor, compression, stored, frames, seal }: DecodeTask): DecodeResult {
  const codec = codecOf(compression);
  const damaged: { index: number; why: string }[] = [];
  for (const [index, { start, length, sha256, target, block }] of frames.entries()) {
    const content = contentOf(stored.subarray(start, start + length), block, codec, seal);
    if (typeof content === 'string') {
      damaged.push({ index, why: content });
      continue;
    }
    if (content.byteLength !== target.length || sha256Of(content) !== sha256) {
      damaged.push({ index, why: 'does not match its SHA-256' });
    } else if (descriptor !== undefined) {
      writeRange(descriptor, target, content);
    }
  }
  return { damaged };
}

/** What a frame holds, or why that cannot be told. */
function contentOf(stored: Uint8Array, block: number, codec: Codec, seal: FrameSeal | undefined): Uint8Array | string {
  let step = 'decrypted';
  try {
    const frame = seal === undefined ? stored : unseal(seal.key, framePlace(seal.pack, block), stored);
    step = 'decompressed';
    return codec.decode(frame);
  } catch (error) {
    return `cannot be ${step} (${error instanceof Error ? error.message : String(error)})`;
  }
}

function hash({ descriptor, ranges }: HashTask): HashResult {
  return {
    sha256: ranges.map((range) => {
      const bytes = readRange(descriptor, range);
      return bytes === undefined ? undefined : sha256Of(bytes);
    }),
  };
}

function reuse({ sources, target, blocks }: ReuseTask): ReuseResult {
  return {
    found: blocks.map((block) => {
      const source = sources.find((descriptor) => holds(descriptor, block));
      if (source === undefined) return false;
      // The bytes that were hashed are written, not read again: the file may be in use, and change meanwhile.
      if (target !== undefined && source !== target)
        writeRange(target, block.range, scratch.subarray(0, block.range.length));
      return true;
    }),
  };
}

/** Whether a file holds a block, whose bytes are in `scratch` then. */
function holds(descriptor: number, { range, sha256 }: WantedBlock): boolean {
  try {
    const bytes = readRange(descriptor, range);
    return bytes !== undefined && sha256Of(bytes) === sha256;
  } catch {
    // A bad sector, or a file that its owner has closed in this moment: the store has the block.
    return false;
  }
}

function digest({ bytes, length }: DigestTask): DigestResult {
  const content = new Uint8Array(bytes, 0, length);
  return { md5: createHash('md5').update(content).digest('base64'), sha256: sha256Of(content) };
}

/** Ranges are read into the same memory, one after the other, by each thread. */
let scratch = Buffer.alloc(0);

/** The bytes of a range until the next is read, or undefined where the file ends before it does. */
function readRange(descriptor: number, { offset, length }: FileRange): Uint8Array | undefined {
  if (scratch.length < length) scratch = Buffer.allocUnsafeSlow(length);
  const bytes = scratch.subarray(0, length);
  for (let done = 0; done < length;) {
    const read = readSync(descriptor, bytes, done, length - done, offset + done);
    if (read === 0) return undefined;
    done += read;
  }
  return bytes;
}

function writeRange(descriptor: number, { offset, length }: FileRange, bytes: Uint8Array): void {
  for (let done = 0; done < length;) {
    done += writeSync(descriptor, bytes, done, length - done, offset + done);
  }
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
