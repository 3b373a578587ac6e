/**
 * DuckDB's checksum: 5381 XOR the sum, by XOR, of every 8-byte word times a constant, modulo 2^64.
 *
 * It finds torn and foreign bytes. It is blind to the order of words, so it is never used to find changes: that is
 * SHA-256's work. Source: `Checksum` in `src/common/checksum.cpp`.
 */
export function duckdbChecksum(bytes: Buffer): bigint {
  const words = Math.floor(bytes.length / 8);
  let low = 0;
  let high = 0;
  for (let at = 0; at < words * 8; at += 8) {
    const wordLow = bytes.readUInt32LE(at);
    const product = multiplyLow(wordLow);
    low ^= product.low;
    high ^= product.high + Math.imul(wordLow, FACTOR_HIGH) + Math.imul(bytes.readUInt32LE(at + 4), FACTOR_LOW);
  }
  const head = ((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)) ^ 5381n;
  return words * 8 === bytes.length ? head : (head ^ hashRemainder(bytes.subarray(words * 8))) & MASK;
}

const MASK = (1n << 64n) - 1n;
/** 0xbf58476d1ce4e5b9, the multiplier of splitmix64, in halves and quarters: BigInt would be ten times slower. */
const FACTOR_LOW = 0x1ce4e5b9;
const FACTOR_HIGH = 0xbf58476d;
const FACTOR_0 = FACTOR_LOW & 0xffff;
const FACTOR_1 = FACTOR_LOW >>> 16;

/** The 64-bit product of a 32-bit number and the factor's low half. */
function multiplyLow(value: number): { low: number; high: number } {
  const v0 = value & 0xffff;
  const v1 = value >>> 16;
  const p00 = v0 * FACTOR_0;
  const p01 = v0 * FACTOR_1;
  const p10 = v1 * FACTOR_0;
  const middle = (p00 >>> 16) + (p01 & 0xffff) + (p10 & 0xffff);
  const low = (p00 & 0xffff) | ((middle & 0xffff) << 16);
  const high = v1 * FACTOR_1 + (p01 >>> 16) + (p10 >>> 16) + (middle >>> 16);
  return { low, high: high | 0 };
}

/** Up to seven bytes behind the last whole word, hashed as MurmurHash64A does with its tail. */
function hashRemainder(tail: Buffer): bigint {
  const factor = 0xc6a4a7935bd1e995n;
  let hash = (0xe17a1465n ^ (BigInt(tail.length) * factor)) & MASK;
  for (let index = tail.length - 1; index >= 0; index--) hash ^= BigInt(tail[index] ?? 0) << BigInt(8 * index);
  hash = (hash * factor) & MASK;
  hash ^= hash >> 47n;
  hash = (hash * factor) & MASK;
  return hash ^ (hash >> 47n);
}
