import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type DatabaseBytes, databaseBytes } from '../../test/support/duckdb-files.js';
import { duckdbChecksum } from './checksum.js';
import { type FileHeader, type HeaderProblem, parseFileHeader, withIdentifier } from './file-header.js';
import { HEADER_SIZE, HEADERS_SIZE } from './layout.js';

const flip = (bytes: Buffer, at: number, mask = 1): Buffer => {
  const flipped = Buffer.from(bytes);
  flipped[at] = (flipped[at] ?? 0) ^ mask;
  return flipped;
};

/** The bytes with a change and a checksum that is right for it, as only another version of DuckDB would write them. */
const rewritten = (bytes: Buffer, offset: number, change: (copy: Buffer) => void): Buffer => {
  const copy = Buffer.from(bytes);
  change(copy);
  copy.writeBigUInt64LE(duckdbChecksum(copy.subarray(offset + 8, offset + HEADER_SIZE)), offset);
  return copy;
};

const headerOf = (bytes: Buffer): FileHeader => {
  const result = parseFileHeader(bytes);
  if (!result.ok) throw new Error(`${result.problem}: ${result.detail}`);
  return result.header;
};

const problemOf = (bytes: Buffer): HeaderProblem | 'none' => {
  const result = parseFileHeader(bytes);
  return result.ok ? 'none' : result.problem;
};

describe('the headers of a database file', () => {
  let made: DatabaseBytes;
  let headers: Buffer;
  /** Where the database header in force stands, and the other one. */
  let active: number;
  let other: number;

  beforeAll(async () => {
    made = await databaseBytes({
      folded: [
        'CREATE TABLE t AS SELECT range AS i FROM range(100000)',
        'CHECKPOINT made',
        'DELETE FROM t WHERE i % 2 = 0',
      ],
      logged: ['INSERT INTO t VALUES (1)'],
    });
    headers = made.main.subarray(0, HEADERS_SIZE);
    const iterations = [HEADER_SIZE, 2 * HEADER_SIZE].map((offset) => headers.readBigUInt64LE(offset + 8));
    active = (iterations[0] ?? 0n) > (iterations[1] ?? 0n) ? HEADER_SIZE : 2 * HEADER_SIZE;
    other = 3 * HEADER_SIZE - active;
  });

  it('tell version, identity, checkpoint counter and blocks', () => {
    const header = headerOf(headers);
    expect(header).toMatchObject({ version: 68, torn: false, library: expect.stringMatching(/^v1\.\d+\.\d+$/) });
    expect(header.identifier).toMatch(/^[0-9a-f]{32}$/);
    expect(header.identifier).not.toBe('0'.repeat(32));
    expect(header.iteration).toBe(Number(headers.readBigUInt64LE(active + 8)));
    expect(header.iteration).toBeGreaterThan(1);
    expect(HEADERS_SIZE + header.blockCount * 262_144).toBe(made.main.length);
  });

  it('count checkpoints, and nothing else', async () => {
    const insert = 'INSERT INTO t VALUES (1)';
    const iteration = async (logged: readonly string[]) =>
      headerOf((await databaseBytes({ folded: ['CREATE TABLE t (i INTEGER)'], logged })).main).iteration;
    const base = await iteration([]);
    expect(await iteration([insert, insert, 'FROM t'])).toBe(base);
    expect(await iteration([insert, 'CHECKPOINT made', insert, 'CHECKPOINT made'])).toBe(base + 2);
  });

  it.each([
    ['v1.0.0', 64, false],
    ['v1.2.0', 65, false],
    ['v1.3.0', 66, false],
    ['v1.4.0', 67, true],
    ['v1.5.0', 68, true],
  ])('of STORAGE_VERSION %s are of version %i; identity: %s', async (storage, version, identified) => {
    const { main } = await databaseBytes({ storage, folded: ['CREATE TABLE t (i INTEGER)'] });
    const header = headerOf(main);
    expect(header.version).toBe(version);
    expect(header.identifier !== '0'.repeat(32)).toBe(identified);
  });

  it('are those of another kind of file in any shorter cut', () => {
    fc.assert(
      fc.property(fc.nat(HEADERS_SIZE - 1), (length) => problemOf(headers.subarray(0, length)) === 'not-duckdb'),
    );
  });

  it('with any bit of the main header flipped are refused', () => {
    fc.assert(
      fc.property(fc.nat(HEADER_SIZE - 1), fc.nat(7), (at, bit) => {
        expect(problemOf(flip(headers, at, 1 << bit))).toBe(at >= 8 && at < 12 ? 'not-duckdb' : 'corrupt');
      }),
    );
  });

  it('with any bit of the header that is not in force flipped tell the same, and that one is torn', () => {
    fc.assert(
      fc.property(fc.nat(HEADER_SIZE - 1), fc.nat(7), (at, bit) => {
        expect(headerOf(flip(headers, other + at, 1 << bit))).toEqual({ ...headerOf(headers), torn: true });
      }),
    );
  });

  it('with the header in force half written tell of the checkpoint before', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: HEADER_SIZE }), (rest) => {
        const torn = Buffer.from(headers);
        torn.set(rest, active + HEADER_SIZE - rest.length);
        fc.pre(!torn.equals(headers));
        expect(headerOf(torn)).toMatchObject({ torn: true, iteration: Number(headers.readBigUInt64LE(other + 8)) });
      }),
    );
  });

  it('with both database headers torn are corrupt', () => {
    expect(problemOf(flip(flip(headers, active + 100), other + 100))).toBe('corrupt');
  });

  it('of a newer version are told apart from damage', () => {
    const newer = rewritten(headers, 0, (copy) => copy.writeBigUInt64LE(69n, 12));
    expect(parseFileHeader(newer)).toMatchObject({
      ok: false,
      problem: 'newer',
      detail: 'it has file version 69; this DuckDB reads up to file version 68, STORAGE_VERSION v1.5.0',
    });
  });

  it('of an encrypted database are told apart from damage', async () => {
    const { main } = await databaseBytes({ attach: "ENCRYPTION_KEY 'key'", folded: ['CREATE TABLE t (i INTEGER)'] });
    expect(problemOf(main)).toBe('encrypted');
  });

  it('of a database with other blocks are told apart from damage', async () => {
    const { main } = await databaseBytes({ attach: 'BLOCK_SIZE 16384', folded: ['CREATE TABLE t (i INTEGER)'] });
    expect(parseFileHeader(main)).toMatchObject({
      problem: 'block-size',
      detail: 'its blocks have 16384 bytes in place of 262144',
    });
  });

  it('take another identity and are whole with it, with nothing else changed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (identifier) => {
        const renamed = Buffer.concat([
          withIdentifier(headers.subarray(0, HEADER_SIZE), Buffer.from(identifier)),
          headers.subarray(HEADER_SIZE),
        ]);
        expect(headerOf(renamed)).toEqual({
          ...headerOf(headers),
          identifier: Buffer.from(identifier).toString('hex'),
        });
      }),
    );
  });

  it('are refused for any other bytes', () => {
    const bytes = fc.uint8Array({ minLength: HEADERS_SIZE, maxLength: HEADERS_SIZE + 10 });
    fc.assert(
      fc.property(bytes, (other) => problemOf(Buffer.from(other)) === 'not-duckdb'),
      { numRuns: 20 },
    );
  });
});
