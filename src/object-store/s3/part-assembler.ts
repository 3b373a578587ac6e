import type { ChunkSource } from '../chunk-source.js';
import { betweenSlices, SLICE } from './slices.js';

/** A part, and whether the source ended with it. */
export interface Part {
  readonly part: Buffer;
  readonly last: boolean;
}

/**
 * Cuts a stream of chunks of any size into parts of exactly `partSize` bytes, the last one excepted. The buffers come from
 * a pool: a part that was sent is recycled, so that an upload takes as much memory as it has parts at once. Their memory
 * can be seen by other threads, which hash it.
 */
export class PartAssembler {
  /** Bytes taken from the source so far. */
  bytes = 0;
  #rest: Buffer | undefined;
  #sinceTurn = 0;
  readonly #free: Buffer[] = [];

  constructor(
    private readonly source: ChunkSource,
    private readonly partSize: number,
  ) {}

  /** The next part. The last one is empty only where the whole source is. */
  async next(): Promise<Part> {
    const buffer = this.#free.pop() ?? Buffer.from(new SharedArrayBuffer(this.partSize));
    let filled = 0;
    for (;;) {
      // A full part is the last one only if nothing follows, so one more chunk is pulled before it is handed out.
      this.#rest ??= await this.#pull();
      if (this.#rest === undefined) return { part: buffer.subarray(0, filled), last: true };
      if (filled === this.partSize) return { part: buffer, last: false };
      const copied = this.#rest.copy(buffer, filled, 0, SLICE);
      filled += copied;
      this.#rest = copied === this.#rest.length ? undefined : this.#rest.subarray(copied);
      this.#sinceTurn += copied;
      if (this.#sinceTurn < SLICE) continue;
      this.#sinceTurn = 0;
      await betweenSlices();
    }
  }

  /** Gives the memory of a part back. */
  recycle(part: Buffer): void {
    if (part.length < this.partSize) return;
    this.#free.push(part);
  }

  async #pull(): Promise<Buffer | undefined> {
    for (;;) {
      const chunk = await this.source.next();
      if (chunk === undefined) return undefined;
      this.bytes += chunk.length;
      if (chunk.length > 0) return chunk;
    }
  }
}
