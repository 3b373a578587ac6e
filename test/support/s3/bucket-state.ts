import { randomUUID } from 'node:crypto';
import { Blob, blobMaker } from './blob.js';
import { conditionFailed, noSuchKey, noSuchUpload, S3Error } from './s3-error.js';

export interface StoredObject {
  readonly key: string;
  readonly blob: Blob;
  readonly modifiedAt: Date;
}

export interface PendingUpload {
  readonly id: string;
  readonly key: string;
  readonly initiatedAt: Date;
  readonly parts: Map<number, Blob>;
}

/** The rules that a bucket keeps; R2's by default. */
export interface BucketRules {
  /** `yes`: honoured; `not-implemented`: 501; `ignored`: overwrites in silence, as some servers do. */
  conditionalWrites: 'yes' | 'not-implemented' | 'ignored';
  /** Successful writes of one key per second before 429. */
  writesPerSecondAndKey: number;
  /** Bytes that every part but the last must have. */
  minPartSize: number;
  /** Every part but the last has the same size, and the last is no larger. */
  equalParts: boolean;
}

/** What a bucket holds, and the rules of changing it. Each change is one synchronous step, so it is atomic. */
export class BucketState {
  readonly uploads = new Map<string, PendingUpload>();
  private readonly stored = new Map<string, StoredObject>();
  private readonly lastWrite = new Map<string, number>();
  private readonly blobOf: (bytes: Buffer) => Blob;
  private sorted: readonly string[] | undefined;

  constructor(
    readonly rules: BucketRules,
    private readonly clock: { now(): Date; monotonicMs(): number },
    folder?: string,
  ) {
    this.blobOf = blobMaker(folder);
  }

  /** Keys in the order of their UTF-8 bytes. */
  keys(): readonly string[] {
    this.sorted ??= [...this.stored.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return this.sorted;
  }

  get(key: string): StoredObject | undefined {
    return this.stored.get(key);
  }

  need(key: string): StoredObject {
    const found = this.stored.get(key);
    if (found === undefined) throw noSuchKey();
    return found;
  }

  put(key: string, bytes: Buffer, condition: string | undefined): StoredObject {
    if (this.refused(key, condition)) throw conditionFailed();
    this.checkRate(key);
    return this.store(key, this.blobOf(bytes));
  }

  delete(key: string): void {
    this.stored.get(key)?.blob.discard();
    this.stored.delete(key);
    this.sorted = undefined;
  }

  begin(key: string): PendingUpload {
    const upload = { id: randomUUID(), key, initiatedAt: this.clock.now(), parts: new Map<number, Blob>() };
    this.uploads.set(upload.id, upload);
    return upload;
  }

  putPart(key: string, id: string, number: number, bytes: Buffer): Blob {
    const upload = this.needUpload(key, id);
    if (!Number.isInteger(number) || number < 1 || number > 10_000) {
      throw new S3Error(400, 'InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive.');
    }
    const blob = this.blobOf(bytes);
    upload.parts.get(number)?.discard();
    upload.parts.set(number, blob);
    return blob;
  }

  complete(
    key: string,
    id: string,
    named: readonly { number: number; etag: string }[],
    condition: string | undefined,
  ): StoredObject {
    const upload = this.needUpload(key, id);
    if (this.refused(key, condition)) {
      // R2: "a failed condition at Complete discards the uploaded parts".
      this.abort(key, id);
      throw conditionFailed();
    }
    const parts = named.map(({ number, etag }) => {
      const part = upload.parts.get(number);
      if (part?.etag !== etag.replaceAll('"', ''))
        throw new S3Error(400, 'InvalidPart', `Part ${number} is not there.`);
      return part;
    });
    if (parts.length === 0) throw new S3Error(400, 'MalformedXML', 'There are no parts.');
    if (named.some(({ number }, at) => number <= (named[at - 1]?.number ?? 0)))
      throw new S3Error(400, 'InvalidPartOrder');
    this.checkPartSizes(parts);
    this.checkRate(key);
    this.uploads.delete(id);
    return this.store(key, Blob.join(parts));
  }

  abort(key: string, id: string): void {
    for (const part of this.needUpload(key, id).parts.values()) part.discard();
    this.uploads.delete(id);
  }

  private store(key: string, blob: Blob): StoredObject {
    const object = { key, blob, modifiedAt: this.clock.now() };
    this.stored.get(key)?.blob.discard();
    this.stored.set(key, object);
    this.sorted = undefined;
    this.lastWrite.set(key, this.clock.monotonicMs());
    return object;
  }

  private refused(key: string, condition: string | undefined): boolean {
    if (condition === undefined || this.rules.conditionalWrites === 'ignored') return false;
    if (condition !== '*' || this.rules.conditionalWrites === 'not-implemented') {
      throw new S3Error(501, 'NotImplemented', 'A header you provided implies functionality that is not implemented.');
    }
    return this.stored.has(key);
  }

  private checkRate(key: string): void {
    const since = this.clock.monotonicMs() - (this.lastWrite.get(key) ?? -Infinity);
    if (since < 1000 / this.rules.writesPerSecondAndKey) {
      throw new S3Error(429, 'TooManyRequests', 'Reduce your concurrent request rate for the same object.');
    }
  }

  private checkPartSizes(parts: readonly Blob[]): void {
    const { minPartSize, equalParts } = this.rules;
    const [first, ...rest] = parts;
    const last = rest.at(-1);
    if (first === undefined || last === undefined) return;
    for (const part of parts.slice(0, -1)) {
      if (part.size < minPartSize) throw new S3Error(400, 'EntityTooSmall', 'A part is smaller than the minimum.');
      if (equalParts && part.size !== first.size) throw uneven();
    }
    if (equalParts && last.size > first.size) throw uneven();
  }

  private needUpload(key: string, id: string): PendingUpload {
    const upload = this.uploads.get(id);
    if (upload?.key !== key) throw noSuchUpload();
    return upload;
  }
}

function uneven(): S3Error {
  return new S3Error(400, 'InvalidPart', 'All non-trailing parts must have the same length.');
}
