import { Readable } from 'node:stream';
import { EiderError } from '../../errors/eider-error.js';
import type { ByteRange } from '../byte-range.js';
import { LinkedAbort } from '../linked-abort.js';
import type { Piece } from './s3-read.js';

/**
 * Bytes of one GET of a stream. A stream is a row of ranged GETs rather than one long one: a body that is cut costs one
 * piece, a slow reader keeps no connection (which stores close) and no turn at the limiter, and memory is two pieces.
 */
export const PIECE = 8 * 1024 * 1024;

/** Reads one piece of the object; retried underneath. */
export type ReadPiece = (range: ByteRange, signal: AbortSignal) => Promise<Piece>;

/** Streams `range`, of which `first` is the beginning, one piece ahead of the reader. */
export function streamPieces(
  first: Piece,
  range: ByteRange,
  what: string,
  readPiece: ReadPiece,
  signal?: AbortSignal,
): Readable {
  const abort = new LinkedAbort(signal);
  let position = range.start;
  const begin = (): Promise<Piece> | undefined => {
    if (position >= range.end) return undefined;
    const asked = { start: position, end: Math.min(position + PIECE, range.end) };
    position = asked.end;
    const reading = readPiece(asked, abort.signal).then((piece) => same(first, piece, what));
    // It may fail before the reader comes to it; the reader's own wait reports that.
    reading.catch(() => undefined);
    return reading;
  };
  position += first.body.length;
  let ahead: Promise<Piece> | undefined = Promise.resolve(first);
  return new Readable({
    highWaterMark: 1,
    read() {
      const current = ahead;
      ahead = begin();
      if (current === undefined) this.push(null);
      else
        current.then(
          ({ body }) => this.push(body),
          (error: Error) => this.destroy(error),
        );
    },
    destroy(error, callback) {
      abort.abort(new Error('the stream was closed'));
      abort.release();
      callback(error);
    },
  });
}

function same(first: Piece, piece: Piece, what: string): Piece {
  if (piece.etag === first.etag && piece.size === first.size) return piece;
  throw new EiderError('STORE_CORRUPT', `${what} was replaced while it was read.`);
}
