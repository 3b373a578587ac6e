import type { BlockPool } from '../block-pool/block-pool.js';
import type { EncodeResult, FileRange } from '../block-pool/block-tasks.js';
import { FrameMemory } from '../block-pool/frame-memory.js';
import { inOrder } from '../block-pool/in-order.js';
import { BLOCK_SIZE, HEADERS_SIZE } from '../duckdb-format/layout.js';
import type { Compression } from '../block-pool/codec.js';
import type { EncryptionKey } from '../encryption/encryption-key.js';
import { BLOCKS_PER_EXTENT, storeExtent, type StoredExtent } from '../repository/extent.js';
import type { Frame } from '../repository/manifest.js';
import type { BaseBackup, BaseBlocks } from './base-backup.js';

/** Blocks that one task reads: 4 MiB, large enough to hide the hand-over, small enough to keep memory low. */
const BLOCKS_PER_TASK = 16;

const NO_BLOCKS: BaseBlocks = { frames: [], table: undefined };

/** What became of the file's blocks, known once the stream has ended. */
export interface PackContents {
  /** Bytes of the pack: frames that were added. */
  length: number;
  /** Bytes of all frames, those in other packs included. */
  used: number;
  /** The first 12,288 bytes of the file. */
  header: Frame | undefined;
  /** Keys of the packs that hold the frames. */
  readonly packs: Set<string>;
}

/** The pack to make. */
export interface PackTarget {
  readonly key: string;
  /** The backup, which new block tables name. */
  readonly name: string;
  readonly compression: Compression;
  /** Encrypts frames and block tables. */
  readonly encryption?: EncryptionKey | undefined;
  /** Blocks that this backup has already are not stored again. */
  readonly base: BaseBackup | undefined;
  /** Ends the reading of the file. */
  readonly signal: AbortSignal | undefined;
  /** Takes the block tables, in order, each when its last block was read; `ofBase` where it is the base's own. */
  readonly onExtent: (extent: StoredExtent, ofBase: boolean) => Promise<void>;
}

/** The file to pack, through the descriptor that is kept open. */
export interface PackSource {
  readonly descriptor: number;
  /** Bytes of the file that belong to the image. */
  readonly size: number;
}

/**
 * The bytes of a pack: the blocks of the file that the base does not have, or all of them, each as one frame, in file
 * order, free blocks included.
 *
 * A chunk's memory is used again once the next one is asked for.
 *
 * @param contents - filled as the stream goes
 */
export async function* packStream(
  pool: BlockPool,
  source: PackSource,
  { key, name, compression, encryption, base, onExtent, signal }: PackTarget,
  contents: PackContents,
  onRead: (bytes: number) => void,
): AsyncGenerator<Buffer, void, void> {
  const memory = new FrameMemory({ count: BLOCKS_PER_TASK, size: BLOCK_SIZE });
  const seal = encryption && { key: encryption.bytes, pack: key };
  const encode = async (ranges: readonly FileRange[]): Promise<EncodedFrames> => {
    signal?.throwIfAborted();
    const known = base === undefined ? NO_BLOCKS : await blocksOf(base, ranges);
    const target = memory.take();
    const hashes = known.frames.map((frame) => frame?.sha256);
    const result = await pool.encode({
      descriptor: source.descriptor,
      ranges,
      compression,
      target,
      known: hashes,
      seal,
      firstBlock: blockOf(ranges),
    });
    return { ...result, target, known, read: ranges.reduce((sum, { length }) => sum + length, 0) };
  };
  const extents = new ExtentBuilder(name, onExtent, encryption);
  const header = [{ offset: 0, length: HEADERS_SIZE }];
  for await (const encoded of inOrder(startingWith(header, blockRanges(source.size)), pool.threads + 1, encode)) {
    for (const [index, { sha256, length }] of encoded.ranges.entries()) {
      const added = { pack: key, offset: contents.length, length, sha256 };
      // No frame is empty: that one was known.
      const kept = length > 0 ? undefined : encoded.known.frames[index];
      const frame = kept ?? added;
      contents.length += length;
      contents.used += frame.length;
      contents.packs.add(frame.pack);
      if (contents.header === undefined) contents.header = frame;
      else await extents.add(frame, kept === undefined ? undefined : encoded.known.table);
    }
    if (encoded.length > 0) yield Buffer.from(encoded.target, 0, encoded.length);
    memory.give(encoded.target);
    onRead(encoded.read);
  }
  await extents.end();
}

/** Frames of one task, and the bytes of the file that they hold. */
interface EncodedFrames extends EncodeResult {
  readonly target: SharedArrayBuffer;
  readonly known: BaseBlocks;
  readonly read: number;
}

/** What the base has for these ranges of the file: the headers, or blocks of one extent. */
async function blocksOf(base: BaseBackup, ranges: readonly FileRange[]): Promise<BaseBlocks> {
  const block = blockOf(ranges);
  if (block < 0) return { frames: [base.header], table: undefined };
  return base.blocks(block, ranges.length);
}

/** The block with which a task begins; -1 for the headers. */
function blockOf(ranges: readonly FileRange[]): number {
  const offset = ranges[0]?.offset ?? 0;
  return offset < HEADERS_SIZE ? -1 : (offset - HEADERS_SIZE) / BLOCK_SIZE;
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

/** Gathers frames into extents of 4,096 blocks, and hands each on: a large database has hundreds of thousands. */
class ExtentBuilder {
  #frames: Frame[] = [];
  #first = 0;
  #table: BaseBlocks['table'];
  #changed = false;

  constructor(
    private readonly name: string,
    private readonly onExtent: PackTarget['onExtent'],
    private readonly encryption: EncryptionKey | undefined,
  ) {}

  /** @param table - the table of the base that has this frame in this place */
  async add(frame: Frame, table: BaseBlocks['table']): Promise<void> {
    this.#frames.push(frame);
    this.#table = table;
    this.#changed ||= table === undefined;
    if (this.#frames.length === BLOCKS_PER_EXTENT) await this.end();
  }

  async end(): Promise<void> {
    if (this.#frames.length === 0) return;
    const [first, frames] = [this.#first, this.#frames];
    // One that equals only a part of the base's is new, too.
    const same = this.#changed || this.#table?.count !== frames.length ? undefined : this.#table;
    this.#first += frames.length;
    this.#frames = [];
    this.#changed = false;
    await this.onExtent(storeExtent({ first, by: same?.by ?? this.name, frames }, this.encryption), same !== undefined);
  }
}
