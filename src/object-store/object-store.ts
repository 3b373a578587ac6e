import type { Readable } from 'node:stream';

/** Requests at once where there may be thousands of small ones; the adapter has a limit of its own, for all together. */
export const REQUESTS_AT_ONCE = 32;

/** What a listing tells of an object. */
export interface ObjectInfo {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  readonly modifiedAt: Date;
  /** Another one whenever the bytes are others; absent where the store does not tell, and in the answer to a HEAD. */
  readonly etag?: string;
}

/** An object, or the range of it that was asked for, being read. */
export interface ObjectBody {
  /** Ends with STORE_UNAVAILABLE or STORE_CORRUPT when fewer than `length` bytes arrive. */
  readonly stream: Readable;
  /** Bytes that `stream` will deliver. */
  readonly length: number;
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
}

export interface PutOptions extends RequestOptions {
  /**
   * Create only: STORE_EXISTS when the key is there already. Where the answer of the store was lost, the adapter reads
   * the key back and compares the bytes, so that success means "these bytes are there, written by this call".
   */
  readonly ifAbsent?: boolean;
}

export interface UploadOptions extends RequestOptions {
  /** Bytes of every part but the last; the adapter's default where absent. At most 10,000 parts. */
  readonly partSize?: number;
}

export interface GetOptions extends RequestOptions {
  /** First byte and the byte after the last one. */
  readonly range?: { readonly start: number; readonly end: number };
}

export interface ReadOptions extends GetOptions {
  /** Memory to read into; the bytes that are returned lie in it then. Where it is too small, it is left alone. */
  readonly into?: Uint8Array;
}

export interface ListOptions extends RequestOptions {
  /** Only keys that sort after this one (UTF-8 byte order). */
  readonly after?: string;
  /** Leaves out keys with a further `/` behind the prefix. */
  readonly shallow?: boolean;
}

/**
 * A place that keeps immutable objects: an S3-compatible bucket or a folder.
 *
 * Keys are relative to the store's prefix, use `/`, and have no empty, `.` or `..` segments (STORE_KEY_INVALID).
 * Every method throws EiderError with a STORE_* code and nothing else; transient failures were retried before that.
 * Listing is strongly consistent, in UTF-8 byte order. An object is seen whole or not at all.
 */
export interface ObjectStore {
  /** For people: `s3://bucket/backups/ at https://…` or `folder ./data/repository`. No secrets. */
  readonly description: string;

  /** Writes a small object (at most a few MiB) in one request. */
  put(key: string, body: Buffer, options?: PutOptions): Promise<void>;

  /**
   * Writes a large object from chunks of any size, with bounded memory; nothing is visible before the last byte is there.
   * When the source throws, or on abort, what was uploaded is discarded and the error passed on.
   */
  upload(key: string, chunks: AsyncIterable<Buffer>, options?: UploadOptions): Promise<{ bytes: number }>;

  /** Opens an object for reading. STORE_NOT_FOUND when it is not there. */
  open(key: string, options?: GetOptions): Promise<ObjectBody>;

  /** Reads a range, or a small object whole, into memory; retried as a whole. STORE_NOT_FOUND when it is not there. */
  read(key: string, options?: ReadOptions): Promise<Buffer>;

  /** Undefined when the object is not there. */
  head(key: string, options?: RequestOptions): Promise<ObjectInfo | undefined>;

  /** All objects below the prefix, page by page. Throws in the middle rather than ending early. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo>;

  /** Removes an object; one that is not there is no error. STORE_DENIED where the credentials cannot delete. */
  delete(key: string, options?: RequestOptions): Promise<void>;

  /** Ends idle connections. */
  close(): Promise<void>;
}

/** Injection token of the store that the configuration names. */
export const OBJECT_STORE = Symbol('OBJECT_STORE');

/** Memory for that many bytes: what the caller brings, where it is large enough. */
export function memoryFor(length: number, into: Uint8Array | undefined): Buffer {
  if (into === undefined || into.byteLength < length) return Buffer.allocUnsafe(length);
  return Buffer.from(into.buffer, into.byteOffset, length);
}
