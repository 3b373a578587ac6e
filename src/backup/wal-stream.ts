import { createHash } from 'node:crypto';
import { read } from 'node:fs';
import { promisify } from 'node:util';
import { EiderError } from '../errors/eider-error.js';
import type { Compression } from '../block-pool/codec.js';
import { codecOf } from '../block-pool/codec.js';

const readAt = promisify(read);

/** Bytes of the log that become one frame. */
const CHUNK = 256 * 1024;

/** What was read, known once the stream has ended. */
export interface WalContents {
  /** Stored bytes. */
  stored: number;
  /** SHA-256 of the log's bytes. */
  sha256: string;
}

/**
 * The first `length` bytes of the write-ahead log, as frames.
 *
 * A log is small against the database (a checkpoint folds it from 64 MiB on), so it is read here, 256 KiB at a time.
 *
 * @param length - the end of a commit marker
 * @param contents - filled as the stream goes
 */
export async function* walStream(
  descriptor: number,
  length: number,
  compression: Compression,
  contents: WalContents,
): AsyncGenerator<Buffer, void, void> {
  const codec = codecOf(compression);
  const hash = createHash('sha256');
  for (let at = 0; at < length;) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK, length - at));
    const { bytesRead } = await readAt(descriptor, chunk, 0, chunk.length, at);
    if (bytesRead === 0) {
      throw new EiderError('BACKUP_IMAGE_CHANGED', `The write-ahead log became shorter than ${length} bytes.`);
    }
    const bytes = chunk.subarray(0, bytesRead);
    at += bytesRead;
    hash.update(bytes);
    const frame = Buffer.from(codec.encode(bytes));
    contents.stored += frame.length;
    yield frame;
  }
  contents.sha256 = hash.digest('hex');
}

/** The last bytes before `offset`, at most 4 KiB: they end with a commit marker. */
export async function readTail(descriptor: number, offset: number): Promise<Buffer> {
  const length = Math.min(4096, offset);
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await readAt(descriptor, bytes, 0, length, offset - length);
  return bytes.subarray(0, bytesRead);
}
