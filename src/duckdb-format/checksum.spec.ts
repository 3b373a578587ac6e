import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type DatabaseBytes, databaseBytes } from '../../test/support/duckdb-files.js';
import { duckdbChecksum } from './checksum.js';
import { BLOCK_SIZE, blockOffset, HEADER_SIZE } from './layout.js';
import { parseWalHeader } from './wal.js';

const MASK = (1n << 64n) - 1n;

describe("DuckDB's checksum", () => {
  let made: DatabaseBytes;

  beforeAll(async () => {
    made = await databaseBytes({
      folded: ['CREATE TABLE t AS SELECT range AS i, md5(range::VARCHAR) AS s FROM range(20000)'],
      // Entries of every length modulo 8.
      logged: Array.from({ length: 24 }, (_, n) => `INSERT INTO t VALUES (${n}, '${'x'.repeat(n)}')`),
    });
  });

  it('is the one that DuckDB wrote before each header', () => {
    for (let at = 0; at < 3 * HEADER_SIZE; at += HEADER_SIZE) {
      expect(duckdbChecksum(made.main.subarray(at + 8, at + HEADER_SIZE))).toBe(made.main.readBigUInt64LE(at));
    }
  });

  it('is the one that DuckDB wrote before each block', () => {
    let blocks = 0;
    for (let at = blockOffset(0); at + BLOCK_SIZE <= made.main.length; at += BLOCK_SIZE, blocks++) {
      expect(duckdbChecksum(made.main.subarray(at + 8, at + BLOCK_SIZE))).toBe(made.main.readBigUInt64LE(at));
    }
    expect(blocks).toBeGreaterThan(2);
  });

  it('is the one that DuckDB wrote before each entry of the log, whatever its length', () => {
    const remainders = new Set<number>();
    for (let at = parseWalHeader(made.wal)?.end ?? 0; at < made.wal.length;) {
      const length = Number(made.wal.readBigUInt64LE(at));
      expect(duckdbChecksum(made.wal.subarray(at + 16, at + 16 + length))).toBe(made.wal.readBigUInt64LE(at + 8));
      remainders.add(length % 8);
      at += 16 + length;
    }
    expect(remainders.size).toBe(8);
  });

  it('is that of the formula in 64-bit arithmetic, for any words', () => {
    const words = fc.array(fc.bigInt({ min: 0n, max: MASK }), { maxLength: 50 });
    fc.assert(
      fc.property(words, (values) => {
        const bytes = Buffer.alloc(values.length * 8);
        values.forEach((value, index) => bytes.writeBigUInt64LE(value, index * 8));
        const expected = values.reduce((sum, value) => sum ^ ((value * 0xbf58476d1ce4e5b9n) & MASK), 5381n);
        expect(duckdbChecksum(bytes)).toBe(expected);
      }),
    );
  });

  it('differs when any bit is flipped', () => {
    const flip = fc
      .uint8Array({ minLength: 1, maxLength: 100 })
      .chain((bytes) => fc.record({ bytes: fc.constant(bytes), bit: fc.nat(bytes.length * 8 - 1) }));
    fc.assert(
      fc.property(flip, ({ bytes, bit }) => {
        const flipped = Buffer.from(bytes);
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(duckdbChecksum(flipped)).not.toBe(duckdbChecksum(Buffer.from(bytes)));
      }),
    );
  });

  it('is blind to the order of words, which is why blocks are compared by SHA-256', () => {
    const one = Buffer.from('0123456789abcdef0011223344556677', 'hex');
    const other = Buffer.concat([one.subarray(8), one.subarray(0, 8)]);
    expect(duckdbChecksum(other)).toBe(duckdbChecksum(one));
  });
});
