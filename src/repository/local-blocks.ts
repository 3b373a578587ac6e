import type { BlockPool } from '../block-pool/block-pool.js';
import { inOrder } from '../block-pool/in-order.js';
import { bytesOfBlocks, inRowsOf, type PlacedFrame } from './image-frames.js';

/** Blocks of one task of a thread: 4 MiB, some milliseconds. */
const BLOCKS_PER_TASK = 16;

/** Files of this machine that may hold blocks of a backup, and the one that gets them. */
export interface LocalFiles {
  /** Open files, searched in this order: older, newer, damaged, or of another database. */
  readonly sources: readonly number[];
  /** Undefined where blocks are only counted. It may be one of the sources. */
  readonly target?: number;
}

/**
 * The blocks of a backup that need not be fetched.
 *
 * A file is searched for each block at the block's own place only: DuckDB does not move blocks, so whatever two states of
 * a database share is there. The SHA-256 of the manifest decides, nothing that the file says of itself.
 */
export class LocalBlocks {
  #blocks = 0;
  #bytes = 0;
  #stored = 0;

  constructor(
    private readonly pool: BlockPool,
    private readonly files: LocalFiles,
  ) {}

  /** How many were found so far; the headers count as one. */
  get blocks(): number {
    return this.#blocks;
  }

  /** Bytes of the database file that they make up. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of their frames, which need not be fetched. */
  get stored(): number {
    return this.#stored;
  }

  /**
   * Passes on the frames whose blocks no file holds, and writes the others into the target.
   *
   * @param onFound - told of bytes of the database file, as they are found
   */
  async *missing(
    frames: AsyncIterable<PlacedFrame>,
    onFound: (bytes: number) => void,
    signal?: AbortSignal,
  ): AsyncGenerator<PlacedFrame, void, void> {
    if (this.files.sources.length === 0) return yield* frames;
    const rows = inRowsOf(BLOCKS_PER_TASK, frames);
    // One row more than threads: each has its next one at hand.
    for await (const missing of inOrder(rows, this.pool.threads + 1, async (row) => {
      signal?.throwIfAborted();
      return this.#search(row, onFound);
    })) {
      yield* missing;
    }
  }

  async #search(row: readonly PlacedFrame[], onFound: (bytes: number) => void): Promise<PlacedFrame[]> {
    const { sources, target } = this.files;
    const blocks = row.map(({ target: range, sha256 }) => ({ range, sha256 }));
    const { found } = await this.pool.reuse({ sources, target, blocks });
    const local = row.filter((_, index) => found[index] === true);
    const bytes = bytesOfBlocks(local);
    this.#blocks += local.length;
    this.#bytes += bytes;
    this.#stored += local.reduce((sum, { length }) => sum + length, 0);
    onFound(bytes);
    return row.filter((_, index) => found[index] !== true);
  }
}
