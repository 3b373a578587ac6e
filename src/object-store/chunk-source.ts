import { abortable } from '../runtime/abortable.js';

/**
 * Pulls the chunks of an upload one at a time. Unlike `for await`, it gives up at once when the upload is aborted or has
 * failed, even while the source is stuck; and it knows the source's own errors from those of the store.
 */
export class ChunkSource {
  #thrown: { readonly error: unknown } | undefined;
  readonly #iterator: AsyncIterator<Buffer>;

  /** @param signal - ends `next` with the signal's reason */
  constructor(
    chunks: AsyncIterable<Buffer>,
    private readonly signal: AbortSignal,
  ) {
    this.#iterator = chunks[Symbol.asyncIterator]();
  }

  /** The next chunk, or undefined at the end. */
  async next(): Promise<Buffer | undefined> {
    this.signal.throwIfAborted();
    // Not a race against one promise for the whole upload: that would keep every chunk in memory until its end.
    const result = await abortable(this.#pull(), this.signal);
    return result.done === true ? undefined : result.value;
  }

  /** What the upload must throw: the source's own error where there is one. */
  blame(error: unknown): unknown {
    return this.#thrown === undefined ? error : this.#thrown.error;
  }

  /** Tells the source that no more is wanted. Not awaited: a generator that is stuck would never answer. */
  stop(): void {
    void Promise.resolve(this.#iterator.return?.()).catch(() => undefined);
  }

  async #pull(): Promise<IteratorResult<Buffer>> {
    try {
      return await this.#iterator.next();
    } catch (error) {
      this.#thrown = { error };
      throw error;
    }
  }
}
