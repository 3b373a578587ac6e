import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ByteRange } from '../byte-range.js';
import { EiderError } from '../../errors/eider-error.js';
import { memoryFor } from '../object-store.js';
import { filesystemError } from './filesystem-errors.js';

/** Bytes read from the disk at a time. */
const CHUNK = 1024 * 1024;

/** Reads `range` whole; fewer bytes are an error, because a published file never changes. */
export async function readRange(
  handle: FileHandle,
  range: ByteRange,
  what: string,
  into?: Uint8Array,
): Promise<Buffer> {
  const body = memoryFor(range.end - range.start, into);
  for (let done = 0; done < body.length;) {
    const { bytesRead } = await handle.read(body, done, body.length - done, range.start + done);
    if (bytesRead === 0) throw cutShort(what, range, done);
    done += bytesRead;
  }
  return body;
}

/** Streams `range` of an open file, which the stream owns and closes. */
export function streamRange(handle: FileHandle, range: ByteRange, what: string, signal?: AbortSignal): Readable {
  let position = range.start;
  const next = async (): Promise<Buffer | null> => {
    if (position === range.end) return null;
    const chunk = await readRange(handle, { start: position, end: Math.min(position + CHUNK, range.end) }, what);
    position += chunk.length;
    return chunk;
  };
  return new Readable({
    highWaterMark: CHUNK,
    ...(signal === undefined ? {} : { signal }),
    read() {
      next().then(
        (chunk) => this.push(chunk),
        (error: unknown) => this.destroy(filesystemError(error, `Reading ${what}`)),
      );
    },
    destroy(error, callback) {
      const failure = error === null || signal?.aborted !== true ? error : filesystemError(error, `Reading ${what}`);
      handle.close().then(
        () => callback(failure),
        () => callback(failure),
      );
    },
  });
}

function cutShort(what: string, range: ByteRange, got: number): EiderError {
  return new EiderError('STORE_CORRUPT', `${what} ended ${range.end - range.start - got} bytes early.`);
}
