import { SEAL_OVERHEAD } from '../encryption/seal.js';
import { mostEncoded } from './codec.js';

/**
 * Memory that worker threads fill with frames and the main thread empties, used again and again.
 *
 * Handed over as the worker's own buffers, the frames of a whole pack would pile up: memory that comes from another thread
 * does not count as garbage that is worth a collection, so that hundreds of megabytes were resident.
 */
export class FrameMemory {
  readonly #size: number;
  readonly #free: SharedArrayBuffer[] = [];

  /** @param blocks - how many blocks the largest task has, and the bytes of each */
  constructor(blocks: { readonly count: number; readonly size: number }) {
    this.#size = blocks.count * (mostEncoded(blocks.size) + SEAL_OVERHEAD);
  }

  /** Memory for one task. */
  take(): SharedArrayBuffer {
    return this.#free.pop() ?? new SharedArrayBuffer(this.#size);
  }

  /** Gives it back: from now on its content may change. */
  give(memory: SharedArrayBuffer): void {
    this.#free.push(memory);
  }
}
