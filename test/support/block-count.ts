import { BLOCK_SIZE, HEADERS_SIZE } from '../../src/duckdb-format/layout.js';
import type { S3Double } from './s3/s3-double.js';

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

/** Bytes of packs that the double has sent since its log had so many lines. */
export function packBytes(double: S3Double, since = 0): number {
  return double.log
    .slice(since)
    .filter(({ operation, key }) => operation === 'GetObject' && PACKS.test(key))
    .reduce((sum, { bytesOut }) => sum + bytesOut, 0);
}
