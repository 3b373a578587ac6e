/**
 * Layout of a DuckDB database file: three headers of 4 KiB, then blocks.
 *
 * Source: `SingleFileBlockManager` and `Storage` in DuckDB 1.5 (`storage_info.hpp`).
 */

/** Bytes of a block, its 8-byte checksum included. */
export const BLOCK_SIZE = 262_144;
/** Bytes of one header. */
export const HEADER_SIZE = 4_096;
/** Bytes before the first block: the main header and two database headers. */
export const HEADERS_SIZE = 3 * HEADER_SIZE;

/** Byte at which a block starts. */
export function blockOffset(block: number): number {
  return HEADERS_SIZE + block * BLOCK_SIZE;
}

/** A 64-bit number of a file as a JavaScript number. Throws RangeError above 2^53: no such file exists. */
export function toSafeInteger(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError(`${value} is too large to be a size or an offset`);
  return Number(value);
}
