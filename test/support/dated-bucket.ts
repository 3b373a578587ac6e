import type { BucketConfig } from '../../src/config/store.config.js';
import type {
  ListOptions,
  ObjectInfo,
  PutOptions,
  RequestOptions,
  UploadOptions,
} from '../../src/object-store/object-store.js';
import type { Pacing } from '../../src/object-store/s3/s3-requests.js';
import { S3ObjectStore } from '../../src/object-store/s3/s3-object-store.js';

/** When the objects of a bucket were written, by the clock of a test; shared by all who write to it. */
export interface ObjectDates {
  readonly clock: { now(): Date };
  /** By the whole key, with its prefix. */
  readonly written: Map<string, Date>;
}

/** A bucket of a real server whose objects seem to be of the time that a test's clock showed when they were written. */
export class DatedBucket extends S3ObjectStore {
  readonly #prefix: string;

  constructor(
    config: BucketConfig,
    pacing: Pacing,
    private readonly dates: ObjectDates,
  ) {
    super(config, pacing);
    this.#prefix = config.prefix;
  }

  override async put(key: string, body: Buffer, options?: PutOptions): Promise<void> {
    await this.#dating(key, super.put(key, body, options));
  }

  override async upload(
    key: string,
    chunks: AsyncIterable<Buffer>,
    options?: UploadOptions,
  ): Promise<{ bytes: number }> {
    return this.#dating(key, super.upload(key, chunks, options));
  }

  override async head(key: string, options?: RequestOptions): Promise<ObjectInfo | undefined> {
    const info = await super.head(key, options);
    return info === undefined ? undefined : this.#dated(info);
  }

  override async *list(prefix: string, options?: ListOptions): AsyncGenerator<ObjectInfo> {
    for await (const info of super.list(prefix, options)) yield this.#dated(info);
  }

  override async delete(key: string, options?: RequestOptions): Promise<void> {
    await super.delete(key, options);
    this.dates.written.delete(this.#prefix + key);
  }

  async #dating<T>(key: string, writing: Promise<T>): Promise<T> {
    const { clock, written } = this.dates;
    const full = this.#prefix + key;
    // It may arrive although its answer does not.
    if (!written.has(full)) written.set(full, clock.now());
    const result = await writing;
    written.set(full, clock.now());
    return result;
  }

  #dated(info: ObjectInfo): ObjectInfo {
    return { ...info, modifiedAt: this.dates.written.get(this.#prefix + info.key) ?? info.modifiedAt };
  }
}
