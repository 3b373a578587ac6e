import { createHash } from 'node:crypto';
import { readSync, writeSync } from 'node:fs';
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { codecOf } from './codec.js';
import type {
  BlockTask,
  DecodeResult,
  DecodeTask,
  EncodedRange,
  EncodeResult,
  EncodeTask,
  FileRange,
  HashResult,
  HashTask,
} from './block-tasks.js';

/**
 * Runs in a worker thread. Descriptors belong to the process, so the thread reads the database file through the one that
 * the main thread keeps open, and never closes it: closing any descriptor of that file drops DuckDB's lock.
 */
export default function run(task: BlockTask): unknown {
  switch (task.kind) {
    case 'encode':
      return encode(task);
    case 'decode':
      return decode(task);
    case 'hash':
      return hash(task);
  }
}

function encode({ descriptor, ranges, compression, known }: EncodeTask): unknown {
  const codec = codecOf(compression);
  const results: EncodedRange[] = [];
  const frames: Uint8Array[] = [];
  for (const [index, range] of ranges.entries()) {
    const bytes = readRange(descriptor, range);
    if (bytes === undefined) throw new Error(`the file ends before byte ${range.offset + range.length}`);
    const sha256 = sha256Of(bytes);
    if (known?.[index] === sha256) {
      results.push({ sha256, length: 0 });
      continue;
    }
    const frame = codec.encode(bytes);
    results.push({ sha256, length: frame.byteLength });
    frames.push(frame);
  }
  const joined = concatenate(frames);
  const result: EncodeResult = { ranges: results, frames: joined };
  return move({ [transferableSymbol]: joined.buffer, [valueSymbol]: result });
}

function decode({ descriptor, compression, stored, frames }: DecodeTask): DecodeResult {
  const codec = codecOf(compression);
  const damaged: { index: number; why: string }[] = [];
  for (const [index, { start, length, sha256, target }] of frames.entries()) {
    let content: Uint8Array;
    try {
      content = codec.decode(stored.subarray(start, start + length));
    } catch (error) {
      damaged.push({
        index,
        why: `cannot be decompressed (${error instanceof Error ? error.message : String(error)})`,
      });
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

function hash({ descriptor, ranges }: HashTask): HashResult {
  return {
    sha256: ranges.map((range) => {
      const bytes = readRange(descriptor, range);
      return bytes === undefined ? undefined : sha256Of(bytes);
    }),
  };
}

/** The bytes of a range, or undefined where the file ends before it does. */
function readRange(descriptor: number, { offset, length }: FileRange): Uint8Array | undefined {
  const bytes = Buffer.allocUnsafeSlow(length);
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

/** Into memory of its own, so that it can be handed to the main thread without a copy. */
function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.byteLength;
  }
  return joined;
}
