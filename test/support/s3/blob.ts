import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, openSync, closeSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where the bytes of one request body are: in memory, or in a file for databases larger than memory. */
type Segment = { readonly size: number } & ({ readonly bytes: Buffer } | { readonly file: string });

/** The bytes of an object or a part: one segment per request body that it was made of. Never changed. */
export class Blob {
  readonly size: number;

  constructor(
    private readonly segments: readonly Segment[],
    /** Without quotes. */
    readonly etag: string,
  ) {
    this.size = segments.reduce((sum, { size }) => sum + size, 0);
  }

  /** An object made of parts; its ETag is the MD5 of the parts' MD5s, and their number. */
  static join(parts: readonly Blob[]): Blob {
    const digest = createHash('md5').update(Buffer.concat(parts.map(({ etag }) => Buffer.from(etag, 'hex'))));
    return new Blob(
      parts.flatMap(({ segments }) => segments),
      `${digest.digest('hex')}-${parts.length}`,
    );
  }

  /** The bytes from `start` up to `end`, in pieces. */
  *read(start = 0, end = this.size): Generator<Buffer> {
    let offset = 0;
    for (const segment of this.segments) {
      const from = Math.max(start - offset, 0);
      const to = Math.min(end - offset, segment.size);
      if (from < to) yield slice(segment, from, to);
      offset += segment.size;
    }
  }

  toBuffer(): Buffer {
    return Buffer.concat([...this.read()]);
  }

  /** Removes the files behind it. */
  discard(): void {
    for (const segment of this.segments) if ('file' in segment) rmSync(segment.file, { force: true });
  }
}

function slice(segment: Segment, from: number, to: number): Buffer {
  if ('bytes' in segment) return segment.bytes.subarray(from, to);
  const bytes = Buffer.allocUnsafe(to - from);
  const descriptor = openSync(segment.file, 'r');
  try {
    readSync(descriptor, bytes, 0, bytes.length, from);
  } finally {
    closeSync(descriptor);
  }
  return bytes;
}

/** Makes blobs, in memory or in files of `folder`. */
export function blobMaker(folder?: string): (bytes: Buffer) => Blob {
  if (folder !== undefined) mkdirSync(folder, { recursive: true });
  return (bytes) => {
    const etag = createHash('md5').update(bytes).digest('hex');
    if (folder === undefined) return new Blob([{ size: bytes.length, bytes }], etag);
    const file = join(folder, randomUUID());
    writeFileSync(file, bytes);
    return new Blob([{ size: bytes.length, file }], etag);
  };
}
