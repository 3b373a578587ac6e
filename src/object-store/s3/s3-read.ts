import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';
import type { ByteRange } from '../byte-range.js';
import { memoryFor } from '../object-store.js';
import { FailedRequest } from './read-failure.js';
import { failureOfConnection, failureOfForeigner, type StoreFailure } from './s3-failure.js';
import type { Request } from './s3-requests.js';
import { GetObjectCommand } from './sdk.js';

/** Bytes of an object, and what the store says of the whole of it. */
export interface Piece {
  readonly body: Buffer;
  /** Bytes of the whole object. */
  readonly size: number;
  /** The same for every piece of one object; differs when the object was replaced in between. */
  readonly etag: string;
}

/** One GetObject, read to its end into memory and checked for length. */
export function pieceRequest(bucket: string, key: string, range?: ByteRange, into?: Uint8Array): Request<Piece> {
  const input = {
    Bucket: bucket,
    Key: key,
    ...(range === undefined ? {} : { Range: `bytes=${range.start}-${range.end - 1}` }),
  };
  return async (client, abortSignal) => {
    const answer = await client.send(new GetObjectCommand(input), { abortSignal });
    const length = lengthOf(answer);
    const size = range === undefined ? length : sizeOf(answer, range, length);
    const body = await collect(answer.Body, memoryFor(length, into));
    return { body, size, etag: answer.ETag ?? '' };
  };
}

function lengthOf(answer: GetObjectCommandOutput): number {
  const { ContentLength: length, ETag, LastModified } = answer;
  if (length === undefined || (ETag === undefined && LastModified === undefined)) {
    throw new FailedRequest(failureOfForeigner('the answer to a GET lacks its length, ETag and date'));
  }
  return length;
}

/** Size of the whole object from `Content-Range: bytes 0-9/1000`, which must be the range that was asked for. */
function sizeOf(answer: GetObjectCommandOutput, range: ByteRange, length: number): number {
  const [, start, end, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(answer.ContentRange ?? '') ?? [];
  if (size === undefined || Number(start) !== range.start || Number(end) - range.start + 1 !== length) {
    const got = answer.ContentRange ?? 'the whole object';
    throw new FailedRequest(failureOfForeigner(`asked for bytes ${range.start}-${range.end - 1}, it sent ${got}`));
  }
  return Number(size);
}

async function collect(body: GetObjectCommandOutput['Body'], target: Buffer): Promise<Buffer> {
  const { length } = target;
  let got = 0;
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    if (got + chunk.length > length)
      throw new FailedRequest(cut(`the body is longer than the ${length} bytes announced`));
    target.set(chunk, got);
    got += chunk.length;
  }
  if (got < length) throw new FailedRequest(cut(`the body ended after ${got} of ${length} bytes`));
  return target;
}

function cut(reason: string): StoreFailure {
  return failureOfConnection(undefined, reason);
}
