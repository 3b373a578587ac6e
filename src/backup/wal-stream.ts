import { createHash } from 'node:crypto';
import { read } from 'node:fs';
import { promisify } from 'node:util';
import type { EncryptionKey } from '../encryption/encryption-key.js';
import { EiderError } from '../errors/eider-error.js';
import type { Compression } from '../block-pool/codec.js';
import { codecOf } from '../block-pool/codec.js';
import { LOG_CHUNK, sealLogPart } from '../repository/sealed-log.js';

const readAt = promisify(read);

/** How a log is stored. */
export interface LogForm {
  /** Its key in the store. */
  readonly key: string;
  readonly compression: Compression;
  readonly encryption?: EncryptionKey | undefined;
}

/** What was read, known once the stream has ended. */
export interface WalContents {
  /** Stored bytes. */
  stored: number;
  /** SHA-256 of the log's bytes. */
  sha256: string;
}

/**
 * The first `length` bytes of the write-ahead log, as frames, sealed where there is a key.
 *
 * A log is small against the database (a checkpoint folds it from 64 MiB on), so it is read here, 256 KiB at a time.
 *
 * @param length - the end of a commit marker
 * @param contents - filled as the stream goes
 */
export async function* walStream(
  descriptor: number,
  length: number,
  { key, compression, encryption }: LogForm,
  contents: WalContents,
): AsyncGenerator<Buffer, void, void> {
  const codec = codecOf(compression);
  const hash = createHash('sha256');
  let index = 0;
  for (let at = 0; at < length;) {
    const chunk = Buffer.allocUnsafe(Math.min(LOG_CHUNK, length - at));
    const { bytesRead } = await readAt(descriptor, chunk, 0, chunk.length, at);
    if (bytesRead === 0) {
      throw new EiderError('BACKUP_IMAGE_CHANGED', `The write-ahead log became shorter than ${length} bytes.`);
    }
    const bytes = chunk.subarray(0, bytesRead);
    at += bytesRead;
    hash.update(bytes);
    const content = codec.encode(bytes);
    const part = { log: key, index: index++, isLast: at === length };
    const frame = encryption === undefined ? Buffer.from(content) : sealLogPart(encryption.bytes, part, content);
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
