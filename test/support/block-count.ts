import { BLOCK_SIZE, HEADERS_SIZE } from '../../src/duckdb-format/layout.js';
import type { S3Server } from './s3/s3-server.js';

/** The headers of a database file, then its blocks. */
export function blocksOf(file: Buffer): Buffer[] {
  const blocks = [file.subarray(0, HEADERS_SIZE)];
  for (let at = HEADERS_SIZE; at < file.length; at += BLOCK_SIZE) blocks.push(file.subarray(at, at + BLOCK_SIZE));
  return blocks;
}

/** How many blocks of a file another one holds at the same place. */
export function sharedBlocks(file: Buffer, other: Buffer): number {
  let start = 0;
  return blocksOf(file).filter((block) => {
    const same = other.subarray(start, start + block.length).equals(block);
    start += block.length;
    return same;
  }).length;
}

/** Which requests read blocks. */
export const PACKS = /\.(duckdb|blocks)(\.zst)?$/;

/** Bytes of packs that the server has sent since its log had so many lines. */
export function packBytes(server: S3Server, since = 0): number {
  return server.log
    .slice(since)
    .filter(({ operation, key }) => operation === 'GetObject' && PACKS.test(key))
    .reduce((sum, { bytesOut }) => sum + bytesOut, 0);
}
