import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from './sdk.js';
import { EiderError } from '../../errors/eider-error.js';
import type { UploadOptions } from '../object-store.js';
import { ChunkSource } from '../chunk-source.js';
import { LinkedAbort } from '../linked-abort.js';
import { FailedRequest } from './read-failure.js';
import { failureOfForeigner } from './s3-failure.js';
import { PartAssembler } from './part-assembler.js';
import type { DigestPart } from './part-digest.js';
import { putRequest } from './s3-put.js';
import type { Request, S3Requests } from './s3-requests.js';
import { BEFORE_SIGNING, bodyOf, signedWith } from './signed-body.js';

/** Bytes of a part unless the caller says otherwise: 10,000 of them are 156 GiB. */
export const PART_SIZE = 16 * 1024 * 1024;
/** Most parts of an upload (S3 and R2). */
export const MAX_PARTS = 10_000;
/** Parts on their way at once. With the one being filled, memory is three parts whatever the object's size. */
const PARTS_IN_FLIGHT = 2;

/** What an upload needs beside the requests. */
export interface UploadPort {
  readonly requests: S3Requests;
  readonly digestPart: DigestPart;
  /** Size of the object under the key, or undefined. */
  readonly sizeOf: (signal: AbortSignal) => Promise<number | undefined>;
}

/**
 * Writes an object of any size. What fits into one part goes in a single PUT; more becomes a multipart upload with parts
 * of exactly the same size, as R2 demands. Anything that goes wrong discards the parts.
 */
export async function uploadObject(
  port: UploadPort,
  key: string,
  chunks: AsyncIterable<Buffer>,
  options: UploadOptions,
): Promise<{ bytes: number }> {
  const abort = new LinkedAbort(options.signal);
  const source = new ChunkSource(chunks, abort.signal);
  const upload = new Upload(port, key, abort);
  try {
    return await upload.run(new PartAssembler(source, options.partSize ?? PART_SIZE));
  } catch (error) {
    source.stop();
    // Before the parts on their way are aborted: they would fail, too, and hide why.
    const reason = upload.firstFailure ?? error;
    await upload.discard(error);
    throw options.signal?.aborted === true ? upload.aborted() : source.blame(reason);
  } finally {
    abort.release();
  }
}

class Upload {
  /** The failure of a part, which ends everything else with an abort that is only its echo. */
  firstFailure: unknown;
  #id: string | undefined;
  readonly #parts: { PartNumber: number; ETag: string }[] = [];
  readonly #inFlight = new Set<Promise<void>>();

  constructor(
    private readonly port: UploadPort,
    private readonly key: string,
    private readonly abort: LinkedAbort,
  ) {}

  async run(assembler: PartAssembler): Promise<{ bytes: number }> {
    let number = 0;
    for (;;) {
      const { part, last } = await assembler.next();
      if (number === 0 && last) {
        const digest = await this.port.digestPart(part);
        await this.#send(`Writing ${this.key}`, putRequest(this.#bucket, this.key, part, { digest }));
        return { bytes: part.length };
      }
      number += 1;
      if (number > MAX_PARTS) throw this.#tooManyParts(part.length);
      this.#id ??= await this.#begin();
      while (this.#inFlight.size >= PARTS_IN_FLIGHT) await Promise.race(this.#inFlight);
      this.#launch(this.#id, number, part, () => assembler.recycle(part));
      if (last) break;
    }
    await Promise.all(this.#inFlight);
    if (this.firstFailure !== undefined) throw this.firstFailure;
    await this.#complete(this.#id, assembler.bytes);
    return { bytes: assembler.bytes };
  }

  /** Stops the parts on their way and gives up the upload. Best effort: what stays is left to the upkeep. */
  async discard(reason: unknown): Promise<void> {
    this.abort.abort(reason);
    await Promise.all(this.#inFlight);
    if (this.#id === undefined) return;
    const input = { Bucket: this.#bucket, Key: this.key, UploadId: this.#id };
    await this.port.requests
      .send(`Discarding the upload of ${this.key}`, (client, abortSignal) =>
        client.send(new AbortMultipartUploadCommand(input), { abortSignal }),
      )
      .catch(() => undefined);
  }

  aborted(): EiderError {
    return new EiderError('STORE_ABORTED', `Writing ${this.key} in ${this.port.requests.place} was aborted.`);
  }

  async #begin(): Promise<string> {
    const input = { Bucket: this.#bucket, Key: this.key, ContentType: 'application/octet-stream' };
    return await this.#send(`Beginning the upload of ${this.key}`, async (client, abortSignal) => {
      const { UploadId } = await client.send(new CreateMultipartUploadCommand(input), { abortSignal });
      if (!UploadId) throw new FailedRequest(failureOfForeigner('a multipart upload was begun without an id'));
      return UploadId;
    });
  }

  #launch(id: string, number: number, part: Buffer, done: () => void): void {
    const sending = this.#sendPart(id, number, part)
      .then(done, (error: unknown) => {
        this.firstFailure ??= error;
        // The source may be stuck: this wakes whoever waits for it.
        this.abort.abort(error);
      })
      .finally(() => this.#inFlight.delete(sending));
    this.#inFlight.add(sending);
  }

  async #sendPart(id: string, number: number, part: Buffer): Promise<void> {
    const digest = await this.port.digestPart(part);
    const input = {
      Bucket: this.#bucket,
      Key: this.key,
      UploadId: id,
      PartNumber: number,
      ContentLength: part.length,
      ContentMD5: digest.md5,
    };
    const { ETag } = await this.#send(`Writing part ${number} of ${this.key}`, (client, abortSignal) => {
      const command = new UploadPartCommand({ ...input, Body: bodyOf(part) });
      command.middlewareStack.add(signedWith(digest), BEFORE_SIGNING);
      return client.send(command, { abortSignal });
    });
    if (ETag === undefined) {
      throw this.port.requests.error(`Writing ${this.key}`, failureOfForeigner('the answer to a part has no ETag'));
    }
    this.#parts[number - 1] = { PartNumber: number, ETag };
  }

  /**
   * Makes the parts one object. Where the answer is lost the object is looked for: a second Complete would answer
   * NoSuchUpload, which says nothing. No condition is sent: R2 discards the parts when it fails, Ceph ignores it.
   */
  async #complete(id: string, bytes: number): Promise<void> {
    const doing = `Completing the upload of ${this.key}`;
    const input = { Bucket: this.#bucket, Key: this.key, UploadId: id, MultipartUpload: { Parts: this.#parts } };
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.port.requests.once(
        doing,
        (client, abortSignal) => client.send(new CompleteMultipartUploadCommand(input), { abortSignal }),
        this.abort.signal,
      );
      if ('value' in outcome) break;
      const { failure } = outcome;
      if (failure.uncertain || attempt > 1) {
        if ((await this.port.sizeOf(this.abort.signal)) === bytes) break;
      }
      await this.port.requests.pauseOrThrow(doing, failure, attempt, this.abort.signal);
    }
    this.#id = undefined;
  }

  #send<T>(doing: string, request: Request<T>): Promise<T> {
    return this.port.requests.send(doing, request, this.abort.signal);
  }

  #tooManyParts(partSize: number): EiderError {
    const reason = `more than ${MAX_PARTS} parts of ${partSize} bytes; use a larger part size`;
    return new EiderError('STORE_FAILED', `Writing ${this.key} in ${this.port.requests.place} failed: ${reason}.`);
  }

  get #bucket(): string {
    return this.port.requests.config.bucket;
  }
}
