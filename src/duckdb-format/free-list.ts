import type { FileHeader } from './file-header.js';
import { blockOffset, toSafeInteger } from './layout.js';

/** Metadata is kept in sub-blocks of this size, 64 to a block; the first 8 bytes of each point at the next. */
const SUB_BLOCK = 4_088;
/** Bytes of a block's own checksum. */
const CHECKSUM = 8;
const NO_BLOCK = 0xffff_ffff_ffff_ffffn;
const BLOCK_ID = (1n << 56n) - 1n;

/** Reads at positions of a file; fewer bytes where it ends. */
type Reading = (position: number, length: number) => Buffer;

/**
 * The blocks that the header in force leaves free; undefined where the list lies beyond the end of the file or makes no
 * sense.
 *
 * Source: `SingleFileBlockManager::LoadFreeList` and `MetadataManager` in DuckDB 1.5.
 */
export function readFreeList(read: Reading, header: FileHeader): ReadonlySet<number> | undefined {
  const next = listReader(read, header);
  const count = next();
  if (count === undefined || count > BigInt(header.blockCount)) return undefined;
  const free = new Set<number>();
  for (let left = count; left > 0n; left--) {
    const block = next();
    if (block === undefined) return undefined;
    free.add(Number(block));
  }
  return free;
}

/**
 * Where the last block in use ends: the least size of a whole file. A checkpoint cuts free blocks off the end of the file
 * and leaves them counted in its header, so the count alone would make many a whole file look cut.
 *
 * @returns the end of the last block that the header counts where the free list cannot be read
 */
export function endOfUsedBlocks(read: Reading, header: FileHeader): number {
  const free = readFreeList(read, header);
  let blocks = header.blockCount;
  while (free?.has(blocks - 1) === true) blocks--;
  return blockOffset(blocks);
}

/** Reads the list number by number, from sub-block to sub-block. */
function listReader(read: Reading, { freeList, blockCount }: FileHeader): () => bigint | undefined {
  let pointer = freeList;
  let bytes: Buffer = Buffer.alloc(0);
  let at = 0;
  let left = blockCount * 64;
  return () => {
    if (pointer === NO_BLOCK && bytes.length === 0) return 0n;
    while (at + 8 > bytes.length) {
      const block = toSafeInteger(pointer & BLOCK_ID);
      // A list that bites its own tail would be read for ever.
      if (pointer === NO_BLOCK || block >= blockCount || left-- === 0) return undefined;
      const part = read(blockOffset(block) + CHECKSUM + Number(pointer >> 56n) * SUB_BLOCK, SUB_BLOCK);
      if (part.length < SUB_BLOCK) return undefined;
      pointer = part.readBigUInt64LE(0);
      bytes = part.subarray(8);
      at = 0;
    }
    at += 8;
    return bytes.readBigUInt64LE(at - 8);
  };
}
