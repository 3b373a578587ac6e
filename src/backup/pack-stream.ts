import type { BlockPool } from '../block-pool/block-pool.js';
import type { EncodeResult, FileRange } from '../block-pool/block-tasks.js';
import { FrameMemory } from '../block-pool/frame-memory.js';
import { inOrder } from '../block-pool/in-order.js';
import { BLOCK_SIZE, HEADERS_SIZE } from '../duckdb-format/layout.js';
import type { Compression } from '../block-pool/codec.js';
import { BLOCKS_PER_EXTENT, storeExtent, type StoredExtent } from '../repository/extent.js';
import type { Frame } from '../repository/manifest.js';

/** Blocks that one task reads: 4 MiB, large enough to hide the hand-over, small enough to keep memory low. */
const BLOCKS_PER_TASK = 16;

/** What a pack holds, known once its stream has ended. */
export interface PackContents {
  /** Bytes of the pack. */
  length: number;
  /** The first 12,288 bytes of the file. */
  header: Frame | undefined;
  /** The block tables, in order; about 150 KB for each GiB of the file. */
  readonly extents: StoredExtent[];
}

/** The file to pack, through the descriptor that is kept open. */
export interface PackSource {
  readonly descriptor: number;
  /** Bytes of the file that belong to the image. */
  readonly size: number;
}

/**
 * The bytes of a full pack: every block of the file as one frame, in file order, free blocks included.
 *
 * A chunk's memory is used again once the next one is asked for.
 *
 * @param contents - filled as the stream goes
 */
export async function* packStream(
  pool: BlockPool,
  source: PackSource,
  pack: { readonly key: string; readonly compression: Compression },
  contents: PackContents,
  onRead: (bytes: number) => void,
): AsyncGenerator<Buffer, void, void> {
  const memory = new FrameMemory({ count: BLOCKS_PER_TASK, size: BLOCK_SIZE });
  const encode = async (ranges: readonly FileRange[]): Promise<EncodedFrames> => {
    const target = memory.take();
    const result = await pool.encode({ descriptor: source.descriptor, ranges, compression: pack.compression, target });
    return { ...result, target, read: ranges.reduce((sum, { length }) => sum + length, 0) };
  };
  const extents = new ExtentBuilder(contents.extents);
  const header = [{ offset: 0, length: HEADERS_SIZE }];
  for await (const encoded of inOrder(startingWith(header, blockRanges(source.size)), pool.threads + 1, encode)) {
    for (const { sha256, length } of encoded.ranges) {
      const frame = { pack: pack.key, offset: contents.length, length, sha256 };
      contents.length += length;
      if (contents.header === undefined) contents.header = frame;
      else extents.add(frame);
    }
    yield Buffer.from(encoded.target, 0, encoded.length);
    memory.give(encoded.target);
    onRead(encoded.read);
  }
  extents.end();
}

/** Frames of one task, and the bytes of the file that they hold. */
interface EncodedFrames extends EncodeResult {
  readonly target: SharedArrayBuffer;
  readonly read: number;
}

function* startingWith<T>(first: T, rest: Iterable<T>): Generator<T, void, void> {
  yield first;
  yield* rest;
}

/** The blocks of a file of that size, a task's worth at a time. The last block may be short. */
export function* blockRanges(size: number): Generator<FileRange[], void, void> {
  const step = BLOCKS_PER_TASK * BLOCK_SIZE;
  for (let start = HEADERS_SIZE; start < size; start += step) {
    const ranges: FileRange[] = [];
    for (let offset = start; offset < Math.min(start + step, size); offset += BLOCK_SIZE) {
      ranges.push({ offset, length: Math.min(BLOCK_SIZE, size - offset) });
    }
    yield ranges;
  }
}

/** Gathers frames into extents of 4,096 blocks, kept as they will be stored: a large database has hundreds of thousands. */
class ExtentBuilder {
  #frames: Frame[] = [];
  #first = 0;

  constructor(private readonly extents: StoredExtent[]) {}

  add(frame: Frame): void {
    this.#frames.push(frame);
    if (this.#frames.length === BLOCKS_PER_EXTENT) this.end();
  }

  end(): void {
    if (this.#frames.length === 0) return;
    this.extents.push(storeExtent({ first: this.#first, frames: this.#frames }));
    this.#first += this.#frames.length;
    this.#frames = [];
  }
}
