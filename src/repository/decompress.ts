import { Transform } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Decompress } from 'fzstd';
import type { ImageEncoding } from './keys.js';

/**
 * A stream that turns stored bytes into a database file or a log. Fails where they end too early.
 *
 * For zstd this is fzstd on every Node: it reads joined frames, which Node's own decoder stops after, and files larger
 * than memory, which the block codec cannot.
 */
export function decompressor(encoding: ImageEncoding): Transform {
  switch (encoding) {
    case 'plain':
      return new Transform({ transform: (chunk, _, done) => done(null, chunk) });
    case 'gzip':
      return createGunzip();
    case 'zstd':
      return zstdDecompressor();
  }
}

function zstdDecompressor(): Transform {
  let started = false;
  const decoder = new Decompress((chunk) => stream.push(Buffer.from(chunk)));
  const stream = new Transform({
    transform(chunk: Buffer, _, done) {
      started = true;
      attempt(done, () => decoder.push(chunk));
    },
    flush(done) {
      if (!started) return done(new Error('there is nothing to decompress'));
      attempt(done, () => decoder.push(new Uint8Array(0), true));
    },
  });
  return stream;
}

function attempt(done: (error?: Error | null) => void, action: () => void): void {
  try {
    action();
    done();
  } catch (error) {
    done(error instanceof Error ? error : new Error(String(error)));
  }
}
