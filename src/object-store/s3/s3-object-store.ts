import { Readable } from 'node:stream';
import type { BucketConfig } from '../../config/store.config.js';
import { EiderError, isEiderError } from '../../errors/eider-error.js';
import { type ByteRange, checkRange, rangeOutside } from '../byte-range.js';
import { checkKey, checkPrefix } from '../object-key.js';
import type {
  GetOptions,
  ListOptions,
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  ReadOptions,
  RequestOptions,
  UploadOptions,
} from '../object-store.js';
import type { StoreUpkeep } from '../store-upkeep.js';
import { type DigestPart, digestHere } from './part-digest.js';
import { FailedRequest } from './read-failure.js';
import { type ConditionalWrites, createObject, exists, orAbsent, Unsupported } from './s3-create.js';
import { failureOfForeigner } from './s3-failure.js';
import { abortUploadsBefore } from './s3-leftovers.js';
import { listBucket } from './s3-list.js';
import { putRequest } from './s3-put.js';
import { type Piece, pieceRequest } from './s3-read.js';
import { type Pacing, S3Requests } from './s3-requests.js';
import { PIECE, streamPieces } from './s3-stream.js';
import { uploadObject } from './s3-upload.js';
import { DeleteObjectCommand, HeadObjectCommand } from './sdk.js';

/** Objects of a bucket on Cloudflare R2, Amazon S3, MinIO, Ceph or any other S3-compatible store. */
export class S3ObjectStore implements ObjectStore, StoreUpkeep {
  readonly description: string;
  private readonly requests: S3Requests;
  private readonly prefix: string;
  private readonly bucket: string;
  #conditionalWrites: ConditionalWrites = 'unknown';
  /** Whether the bucket was seen: a HEAD that answers 404 does not tell a missing object from a missing bucket. */
  #bucketSeen = false;

  /** @param digestPart - hashes the parts of uploads; on this thread where absent */
  constructor(
    config: BucketConfig,
    pacing?: Pacing,
    private readonly digestPart: DigestPart = (part) => Promise.resolve(digestHere(part)),
  ) {
    this.requests = new S3Requests(config, pacing);
    this.description = this.requests.place;
    this.prefix = config.prefix;
    this.bucket = config.bucket;
  }

  /** Whether the store honours create-only writes; where it does not, two writers are not kept apart. */
  get conditionalWrites(): ConditionalWrites {
    return this.#conditionalWrites;
  }

  /** Takes note of what a trial found out: some stores ignore the condition and overwrite in silence. */
  recordConditionalWrites(support: ConditionalWrites): void {
    this.#conditionalWrites = support;
  }

  /** This machine's clock minus the store's, ms, to a second or so; undefined before the first answer. */
  get clockSkewMs(): number | undefined {
    return this.requests.clockSkewMs;
  }

  /** Requests on their way at the moment; at most `maxConcurrency`, fewer while the store asks to slow down. */
  get requestsInFlight(): number {
    return this.requests.limiter.active;
  }

  async put(key: string, body: Buffer, options: PutOptions = {}): Promise<void> {
    const full = this.fullKey(key);
    if (options.ifAbsent === true) return await this.create(key, full, body, options.signal);
    await this.requests.send(`Writing ${key}`, putRequest(this.bucket, full, body), options.signal);
  }

  async upload(key: string, chunks: AsyncIterable<Buffer>, options: UploadOptions = {}): Promise<{ bytes: number }> {
    const sizeOf = async (signal: AbortSignal): Promise<number | undefined> => (await this.head(key, { signal }))?.size;
    const { requests, digestPart } = this;
    return await uploadObject({ requests, digestPart, sizeOf }, this.fullKey(key), chunks, options);
  }

  async open(key: string, options: GetOptions = {}): Promise<ObjectBody> {
    const what = `${key} in ${this.description}`;
    const asked = options.range;
    if (asked !== undefined && checkRange(asked).start === asked.end) return await this.openEmpty(key, options);
    const readPiece = (range: ByteRange, signal?: AbortSignal): Promise<Piece> => this.piece(key, range, signal);
    const start = asked?.start ?? 0;
    const end = Math.min(start + PIECE, asked?.end ?? Infinity);
    let first: Piece;
    try {
      first = await readPiece({ start, end }, options.signal);
    } catch (error) {
      // An empty object has no first byte: S3 answers 416.
      if (asked === undefined && isEiderError(error, 'STORE_CORRUPT')) return await this.openEmpty(key, options);
      throw error;
    }
    const range = asked ?? { start: 0, end: first.size };
    if (range.end > first.size) throw rangeOutside(what, range, first.size);
    const stream: Readable = streamPieces(first, range, what, readPiece, options.signal);
    return { stream, length: range.end - range.start };
  }

  async read(key: string, options: ReadOptions = {}): Promise<Buffer> {
    const { range, signal, into } = options;
    if (range !== undefined && checkRange(range).start === range.end) {
      await this.mustExist(key, options);
      return Buffer.alloc(0);
    }
    const { body, size } = await this.piece(key, range, signal, into);
    if (range !== undefined && range.end > size) throw rangeOutside(`${key} in ${this.description}`, range, size);
    return body;
  }

  async head(key: string, options: RequestOptions = {}): Promise<ObjectInfo | undefined> {
    const input = { Bucket: this.bucket, Key: this.fullKey(key) };
    const found = await orAbsent(
      this.requests.send(
        `Looking for ${key}`,
        async (client, abortSignal) => {
          const answer = await client.send(new HeadObjectCommand(input), { abortSignal });
          if (answer.ContentLength === undefined || answer.LastModified === undefined) {
            throw new FailedRequest(failureOfForeigner('the answer to a HEAD lacks length or date'));
          }
          return { key, size: answer.ContentLength, modifiedAt: answer.LastModified };
        },
        options.signal,
      ),
    );
    if (found !== undefined) this.#bucketSeen = true;
    // A GET says which of the two is missing; it throws STORE_BUCKET_MISSING where it is the bucket.
    if (found === undefined && !this.#bucketSeen) await orAbsent(this.piece(key, { start: 0, end: 1 }, options.signal));
    return found;
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    yield* listBucket(this.requests, checkPrefix(prefix), options);
    this.#bucketSeen = true;
  }

  async delete(key: string, options: RequestOptions = {}): Promise<void> {
    const input = { Bucket: this.bucket, Key: this.fullKey(key) };
    await orAbsent(
      this.requests.send(
        `Deleting ${key}`,
        (client, abortSignal) => client.send(new DeleteObjectCommand(input), { abortSignal }),
        options.signal,
      ),
    );
  }

  async abortStaleUploads(olderThanMs: number, options: RequestOptions = {}): Promise<number> {
    return await abortUploadsBefore(this.requests, new Date(Date.now() - olderThanMs), options.signal);
  }

  async close(): Promise<void> {
    this.requests.close();
    await Promise.resolve();
  }

  private async create(key: string, full: string, body: Buffer, signal: AbortSignal | undefined): Promise<void> {
    const readBack = async (): Promise<Buffer | undefined> =>
      (await orAbsent(this.piece(key, undefined, signal)))?.body;
    const learned = (support: ConditionalWrites): void => this.recordConditionalWrites(support);
    if (this.#conditionalWrites !== 'no') {
      try {
        return await createObject(this.requests, { key: full, body, signal, readBack, learned });
      } catch (error) {
        if (!(error instanceof Unsupported)) throw error;
        this.recordConditionalWrites('no');
      }
    }
    // The best such a store allows; two writers at the same moment are not kept apart, and the doctor says so.
    if ((await this.head(key, signalOf(signal))) !== undefined) throw exists(this.requests, full);
    await this.put(key, body, signalOf(signal));
  }

  private async piece(
    key: string,
    range: ByteRange | undefined,
    signal: AbortSignal | undefined,
    into?: Uint8Array,
  ): Promise<Piece> {
    const request = pieceRequest(this.bucket, this.fullKey(key), range, into);
    try {
      const piece = await this.requests.send(`Reading ${key}`, request, signal);
      this.#bucketSeen = true;
      return piece;
    } catch (error) {
      this.#bucketSeen ||= isEiderError(error, 'STORE_NOT_FOUND');
      throw error;
    }
  }

  private async openEmpty(key: string, options: GetOptions): Promise<ObjectBody> {
    const { size } = await this.mustExist(key, options);
    const range = options.range ?? { start: 0, end: 0 };
    if (options.range === undefined ? size !== 0 : range.end > size) {
      throw rangeOutside(`${key} in ${this.description}`, range, size);
    }
    return { stream: Readable.from([]), length: 0 };
  }

  private async mustExist(key: string, options: RequestOptions): Promise<ObjectInfo> {
    const found = await this.head(key, options);
    if (found === undefined) throw new EiderError('STORE_NOT_FOUND', `There is no ${key} in ${this.description}.`);
    return found;
  }

  private fullKey(key: string): string {
    return checkKey(this.prefix + checkKey(key));
  }
}

function signalOf(signal: AbortSignal | undefined): RequestOptions {
  return signal === undefined ? {} : { signal };
}
