import { Readable } from 'node:stream';
import type { PartDigest } from './part-digest.js';
import { betweenSlices, SLICE } from './slices.js';

/**
 * What a request takes as its body, for one attempt: more than a slice goes out slice by slice. With its length and hash in
 * the headers it goes out as plain bytes; without them the SDK would send it in chunks, which R2 and Ceph refuse.
 */
export function bodyOf(bytes: Buffer): Buffer | Readable {
  return bytes.length <= SLICE ? bytes : Readable.from(slices(bytes), { objectMode: true, highWaterMark: 1 });
}

async function* slices(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  for (let start = 0; start < bytes.length; start += SLICE) {
    if (start > 0) await betweenSlices();
    yield bytes.subarray(start, start + SLICE);
  }
}

/** Where `signedWith` belongs among the middlewares of a command: before the signature. */
export const BEFORE_SIGNING = { step: 'build', name: 'signedWith' } as const;

/** Signs a request with the hash of its body that is known already: the SDK cannot hash a stream. */
export function signedWith({ sha256 }: PartDigest) {
  return <A extends { request: unknown }, R>(next: (args: A) => Promise<R>) =>
    (args: A): Promise<R> => {
      headersOf(args.request)['x-amz-content-sha256'] = sha256;
      return next(args);
    };
}

function headersOf(request: unknown): Record<string, unknown> {
  if (typeof request === 'object' && request !== null && 'headers' in request) {
    const { headers } = request;
    if (typeof headers === 'object' && headers !== null) return headers as Record<string, unknown>;
  }
  throw new TypeError('a request of the SDK has no headers');
}
