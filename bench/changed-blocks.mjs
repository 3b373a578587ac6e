import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { codecOf } from '../dist/block-pool/codec.js';
import { BLOCK_SIZE, HEADERS_SIZE } from '../dist/duckdb-format/layout.js';

/** The blocks of a database file in order, its headers first. A block's memory is used again for the next one. */
async function* blocksOf(path) {
  const file = await open(path);
  try {
    const memory = Buffer.alloc(BLOCK_SIZE);
    for (let offset = 0, length = HEADERS_SIZE; ; offset += length, length = BLOCK_SIZE) {
      const { bytesRead } = await file.read(memory, 0, length, offset);
      if (bytesRead === 0) return;
      yield memory.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

const hash = (block) => createHash('sha256').update(block).digest('hex');

/** SHA-256 of each block. */
export async function hashBlocks(path) {
  const hashes = [];
  for await (const block of blocksOf(path)) hashes.push(hash(block));
  return hashes;
}

/**
 * What an incremental backup cannot do without: the blocks that differ from those at the same place before. Counted here
 * again, from the two files alone.
 *
 * @param {readonly string[]} before   from hashBlocks
 * @returns {Promise<{ hashes: string[], count: number, bytes: number, packed: number }>} `packed`: bytes after Eider's zstd
 */
export async function changedBlocks(path, before) {
  const codec = codecOf('zstd');
  const changed = { hashes: [], count: 0, bytes: 0, packed: 0 };
  for await (const block of blocksOf(path)) {
    const now = hash(block);
    if (now !== before[changed.hashes.length]) {
      changed.count++;
      changed.bytes += block.length;
      changed.packed += codec.encode(block).length;
    }
    changed.hashes.push(now);
  }
  return changed;
}
