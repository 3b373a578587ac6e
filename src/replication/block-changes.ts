import type { BlockPool } from '../block-pool/block-pool.js';
import type { Compression } from '../block-pool/codec.js';
import { FrameMemory } from '../block-pool/frame-memory.js';
import { inOrder } from '../block-pool/in-order.js';
import type { DatabaseDescriptors } from '../database/database-descriptors.js';
import { reading } from '../database/inspect.js';
import { readFreeList } from '../duckdb-format/free-list.js';
import { BLOCK_SIZE, blockOffset } from '../duckdb-format/layout.js';
import type { EncryptionKey } from '../encryption/encryption-key.js';
import { EiderError } from '../errors/eider-error.js';
import { BLOCKS_PER_EXTENT } from '../repository/extent.js';
import type { WalBlock } from '../repository/log-record.js';

/** Blocks that one task reads. */
const BLOCKS_PER_TASK = 16;

/** What the base has for consecutive blocks: SHA-256, undefined for those that it does not have. */
export type KnownBlocks = (first: number, count: number) => Promise<readonly (string | undefined)[]>;

/** Changed blocks as they are stored, with the place of each. */
export interface ChangedBlocks {
  readonly blocks: readonly WalBlock[];
  /** One frame for each, joined. */
  readonly frames: Buffer;
}

/**
 * The blocks that commits of one iteration can point at: those that the checkpoint left free, and those beyond.
 *
 * DuckDB writes row groups of a bulk insert into such blocks before the commit, and the log only says where. A block that
 * a commit points at is not written again in the same iteration, so it can be read at any time after the commit.
 */
export class BlockChanges {
  readonly #free: readonly number[];
  readonly #blockCount: number;
  readonly #shipped = new Map<number, string>();

  /** @throws EiderError DATABASE_CORRUPT where the list of free blocks makes no sense */
  constructor(
    private readonly files: DatabaseDescriptors,
    private readonly pool: BlockPool,
    private readonly compression: Compression,
    private readonly known: KnownBlocks,
    private readonly encryption: EncryptionKey | undefined,
  ) {
    const header = files.header();
    const free = readFreeList(reading(files.mainDescriptor()), header);
    if (free === undefined) throw new EiderError('DATABASE_CORRUPT', 'The list of free blocks cannot be read.');
    this.#free = [...free].toSorted((a, b) => a - b);
    this.#blockCount = header.blockCount;
  }

  /** Reads all of them, and gives those that differ from what is in the store. @param record - to which sealed frames belong */
  async *changed(record: string, signal?: AbortSignal): AsyncGenerator<ChangedBlocks, void, void> {
    const memory = new FrameMemory({ count: BLOCKS_PER_TASK, size: BLOCK_SIZE });
    const size = this.files.size();
    const descriptor = this.files.mainDescriptor();
    const seal = this.encryption && { key: this.encryption.bytes, pack: record };
    const encode = async (blocks: readonly number[]): Promise<ChangedBlocks> => {
      signal?.throwIfAborted();
      const ranges = blocks.map((block) => ({
        offset: blockOffset(block),
        length: Math.min(BLOCK_SIZE, size - blockOffset(block)),
      }));
      const known = await this.#hashes(blocks);
      const target = memory.take();
      const result = await this.pool.encode({
        descriptor,
        ranges,
        compression: this.compression,
        target,
        known,
        seal,
        firstBlock: blocks[0] ?? 0,
      });
      const changed: WalBlock[] = [];
      for (const [index, { sha256, length }] of result.ranges.entries()) {
        const block = blocks[index];
        const range = ranges[index];
        if (length === 0 || block === undefined || range === undefined) continue;
        changed.push({ block, length: range.length, stored: length, sha256 });
      }
      const frames = Buffer.from(Buffer.from(target, 0, result.length));
      memory.give(target);
      return { blocks: changed, frames };
    };
    for await (const found of inOrder(this.#candidates(size), this.pool.threads + 1, encode)) {
      if (found.blocks.length > 0) yield found;
    }
  }

  /** Notes what is in the store from now on. */
  noteShipped(blocks: readonly WalBlock[]): void {
    for (const { block, sha256 } of blocks) this.#shipped.set(block, sha256);
  }

  async #hashes(blocks: readonly number[]): Promise<(string | undefined)[]> {
    const first = blocks[0] ?? 0;
    const base = await this.known(first, (blocks.at(-1) ?? first) - first + 1);
    return blocks.map((block) => this.#shipped.get(block) ?? base[block - first]);
  }

  /** Runs of neighbours, within one extent. */
  *#candidates(size: number): Generator<readonly number[], void, void> {
    let group: number[] = [];
    const beyond = Math.ceil((size - blockOffset(0)) / BLOCK_SIZE);
    const numbers = [
      ...this.#free.filter((block) => block < beyond),
      ...Array.from({ length: Math.max(0, beyond - this.#blockCount) }, (_, index) => this.#blockCount + index),
    ];
    for (const block of numbers) {
      const last = group.at(-1);
      const follows = last !== undefined && block === last + 1 && block % BLOCKS_PER_EXTENT !== 0;
      if (group.length === BLOCKS_PER_TASK || (last !== undefined && !follows)) {
        yield group;
        group = [];
      }
      group.push(block);
    }
    if (group.length > 0) yield group;
  }
}
