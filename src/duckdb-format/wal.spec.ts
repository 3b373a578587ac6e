import { DuckDBInstance } from '@duckdb/node-api';
import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '../../test/support/core.js';
import { type DatabaseBytes, databaseBytes } from '../../test/support/duckdb-files.js';
import { parseFileHeader } from './file-header.js';
import { COMMIT_MARKER, findCommit, parseWalHeader, type ReadAt, walkWal, WAL_ENTRY, WAL_HEADER_MOST } from './wal.js';

const readFrom =
  (wal: Buffer): ReadAt =>
  (position, length) =>
    wal.subarray(position, position + length);
const walk = (wal: Buffer, from: number) => walkWal(readFrom(wal), from, wal.length);

/** Small commits, some of several entries, some of none; one with row groups in the file; one larger than the window. */
const STATEMENTS = [
  'INSERT INTO t VALUES (1)',
  'INSERT INTO t SELECT range FROM range(1000)',
  'UPDATE t SET i = i + 1 WHERE i < 10',
  'CREATE TABLE u (s VARCHAR)',
  "INSERT INTO u SELECT repeat('x', 100) FROM range(8000)",
  'INSERT INTO t SELECT range FROM range(200000)',
  'DELETE FROM t WHERE i = 1',
  ...Array.from({ length: 40 }, (_, n) => `INSERT INTO t VALUES (${n})`),
];

describe('the log of a database', () => {
  let made: DatabaseBytes;
  let start: number;
  /** Bytes of the log up to the nth commit. */
  let commits: readonly number[];

  beforeAll(async () => {
    made = await databaseBytes({ folded: ['CREATE TABLE t (i BIGINT)'], logged: STATEMENTS });
    commits = made.commits;
    start = parseWalHeader(made.wal)?.end ?? 0;
  });

  const wholeCommits = (size: number): { lastCommit: number; commits: number } => {
    const whole = commits.filter((end) => end <= size);
    return { lastCommit: whole.at(-1) ?? 0, commits: whole.length };
  };

  it('has every kind of commit that these tests are about', () => {
    expect(new Set(commits).size).toBe(STATEMENTS.length);
    expect(made.wal.length).toBeGreaterThan(512 * 1024);
    const types = new Set<number>();
    for (let at = start; at < made.wal.length; at += 16 + Number(made.wal.readBigUInt64LE(at))) {
      types.add(made.wal.readUInt8(at + 18));
    }
    expect(types).toContain(WAL_ENTRY.rowGroupData);
  });

  it('tells from the commits that were walked whether one points into the database file', () => {
    const first = commits.findIndex((_, index) => walk(made.wal.subarray(0, commits[index]), start).rowGroups);
    expect(STATEMENTS[first]).toMatch(/range\(/);
    const behind = commits[first] ?? 0;
    expect(walk(made.wal, commits[first - 1] ?? start).rowGroups).toBe(true);
    expect(walk(made.wal.subarray(0, commits[first + 1]), behind)).toMatchObject({ commits: 1, rowGroups: false });
    // Without its commit marker a bulk insert is none.
    expect(walk(made.wal.subarray(0, behind - 1), commits[first - 1] ?? start)).toMatchObject({
      commits: 0,
      rowGroups: false,
    });
  });

  it('does not count the record of a checkpoint that came to no end as a commit', async () => {
    const { wal, commits: ends } = await databaseBytes({
      folded: ['CREATE TABLE t (i BIGINT)'],
      logged: ['INSERT INTO t VALUES (1)', "SET GLOBAL debug_checkpoint_abort = 'BEFORE_HEADER'", 'CHECKPOINT made'],
    });
    const [end = 0] = ends;
    expect(wal.length).toBeGreaterThan(end);
    const from = parseWalHeader(wal)?.end ?? 0;
    expect(walk(wal, from)).toMatchObject({ lastCommit: end, lastMarker: wal.length, commits: 1 });
    expect(walk(wal, end)).toMatchObject({ lastCommit: 0, lastMarker: wal.length, commits: 0 });
  });

  it('begins with the identity and the checkpoint counter of its database', () => {
    const file = parseFileHeader(made.main);
    expect(parseWalHeader(made.wal)).toEqual({
      version: 2,
      identifier: file.ok ? file.header.identifier : '',
      iteration: file.ok ? file.header.iteration : 0,
      end: start,
    });
    expect(start).toBeLessThanOrEqual(WAL_HEADER_MOST);
  });

  it.each(['v1.0.0', 'v1.2.0'])('of storage version %s has neither', async (storage) => {
    const old = await databaseBytes({
      storage,
      folded: ['CREATE TABLE t (i BIGINT)'],
      logged: ['INSERT INTO t VALUES (1)'],
    });
    const header = parseWalHeader(old.wal);
    expect(header).toMatchObject({ version: 2, identifier: undefined, iteration: undefined });
    expect(walk(old.wal, header?.end ?? 0)).toMatchObject({ lastCommit: old.wal.length, commits: 1 });
  });

  it('has no header before all of it is there', () => {
    for (let size = 0; size < start; size++) expect(parseWalHeader(made.wal.subarray(0, size))).toBeUndefined();
    expect(parseWalHeader(made.wal.subarray(0, start))).toBeDefined();
  });

  it('has no header, and nothing breaks, whatever else its bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(parseWalHeader(Buffer.from(bytes))).toBeUndefined();
        expect(parseWalHeader(Buffer.concat([made.wal.subarray(0, 5), Buffer.from([7, 0]), bytes]))).toBeUndefined();
      }),
    );
  });

  it('is walked to its last commit', () => {
    expect(walk(made.wal, start)).toMatchObject({ lastCommit: made.wal.length, commits: STATEMENTS.length });
  });

  it('that ends with a header is walked to nothing', () => {
    expect(walk(made.wal.subarray(0, start), start)).toMatchObject({ lastCommit: 0, commits: 0 });
  });

  it('cut anywhere is walked to the last whole commit', () => {
    fc.assert(
      fc.property(fc.integer({ min: start, max: made.wal.length }), (size) => {
        expect(walk(made.wal.subarray(0, size), start)).toMatchObject(wholeCommits(size));
      }),
      { numRuns: 500 },
    );
  });

  it('cut around every commit is walked to the last whole one', () => {
    for (const end of commits) {
      for (const size of [end - 22, end - 21, end - 2, end - 1, end, end + 1, end + 18, end + 19]) {
        const cut = Math.min(size, made.wal.length);
        expect(walk(made.wal.subarray(0, cut), start)).toMatchObject(wholeCommits(cut));
      }
    }
  });

  it('is walked from any commit on as from its start', () => {
    commits.slice(0, -1).forEach((from, index) => {
      expect(walk(made.wal, from)).toMatchObject({ lastCommit: made.wal.length, commits: commits.length - index - 1 });
    });
  });

  it('that grows meanwhile is looked at only as far as was asked', () => {
    const size = (commits[2] ?? 0) + 5;
    expect(walkWal(readFrom(made.wal), start, size)).toMatchObject(wholeCommits(size));
  });

  it('that is shorter than was asked for is walked to the last commit that is there', () => {
    const size = (commits[2] ?? 0) + 5;
    expect(walkWal(readFrom(made.wal.subarray(0, size)), start, made.wal.length)).toMatchObject(wholeCommits(size));
  });

  it('followed by zeros, as a power failure leaves it, is walked to the last commit before them', () => {
    fc.assert(
      fc.property(fc.nat(200), (zeros) => {
        expect(walk(Buffer.concat([made.wal, Buffer.alloc(zeros)]), start).lastCommit).toBe(made.wal.length);
      }),
    );
  });

  it('with any bit flipped is never walked to where no commit ends, and always past the commits before it', () => {
    const heads: number[] = [];
    for (let at = start; at < made.wal.length; at += 16 + Number(made.wal.readBigUInt64LE(at))) heads.push(at);
    const anywhere = fc.integer({ min: start, max: made.wal.length - 1 });
    const inHead = fc.tuple(fc.constantFrom(...heads), fc.nat(18)).map(([head, offset]) => head + offset);
    fc.assert(
      fc.property(fc.oneof(anywhere, inHead), fc.nat(7), (at, bit) => {
        const flipped = Buffer.from(made.wal);
        flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
        const { lastCommit } = walk(flipped, start);
        expect([0, ...commits]).toContain(lastCommit);
        expect(lastCommit).toBeGreaterThanOrEqual(wholeCommits(at).lastCommit);
      }),
      { numRuns: 300 },
    );
  });

  it('with any bit of a commit marker flipped is not walked past it', () => {
    fc.assert(
      fc.property(fc.nat(STATEMENTS.length - 1), fc.nat(COMMIT_MARKER.length * 8 - 1), (index, bit) => {
        const end = commits[index] ?? 0;
        const at = end - COMMIT_MARKER.length + (bit >> 3);
        const flipped = Buffer.from(made.wal);
        flipped[at] = (flipped[at] ?? 0) ^ (1 << (bit & 7));
        const { lastCommit } = walk(flipped.subarray(0, end), start);
        expect(lastCommit).toBe(commits[index - 1] ?? 0);
      }),
      { numRuns: 200 },
    );
  });

  it('of thousands of small commits is walked to the last, wherever the pieces that are read end', () => {
    const small = made.wal.subarray(commits[6]);
    const times = Math.ceil((300 * 1024) / small.length);
    const many = Buffer.concat(Array.from({ length: times }, () => small));
    // A first entry of another length moves all that follow over the ends of the pieces.
    for (let length = 3; length < 150; length += 7) {
      const first = Buffer.alloc(16 + length);
      first.writeBigUInt64LE(BigInt(length));
      const log = Buffer.concat([made.wal.subarray(0, start), first, many]);
      expect(walk(log, start)).toMatchObject({ lastCommit: log.length, commits: 40 * times });
    }
  });

  it('holds no commit behind the last whole one, wherever a crash has cut it', () => {
    fc.assert(
      fc.property(fc.integer({ min: start, max: made.wal.length }), (size) => {
        const torn = made.wal.subarray(0, size);
        const { lastCommit } = walk(torn, start);
        expect(findCommit(readFrom(torn), lastCommit || start, size)).toBeUndefined();
      }),
    );
  });

  it('holds a commit behind the place where a damaged length ends the walk', () => {
    for (const [index, end] of commits.slice(0, -1).entries()) {
      const damaged = Buffer.from(made.wal);
      damaged.writeUInt8(0xff, end + 6);
      expect(walk(damaged, start)).toMatchObject({ lastCommit: end, commits: index + 1 });
      const found = findCommit(readFrom(damaged), end, damaged.length);
      // The damaged frame may be the marker itself: what is left of it is found as well.
      expect(found).toBeLessThanOrEqual(commits[index + 1] ?? 0);
      expect(found).toBeGreaterThan(end);
    }
  });

  it('holds a commit that stands on the border of the pieces that are read', () => {
    const piece = 256 * 1024;
    for (let before = piece - COMMIT_MARKER.length - 1; before <= piece + 1; before++) {
      const log = Buffer.concat([Buffer.alloc(before, 1), COMMIT_MARKER, Buffer.alloc(50, 1)]);
      expect(findCommit(readFrom(log), 0, log.length)).toBe(before + COMMIT_MARKER.length);
    }
  });

  it('is read in small pieces, however large an entry is', () => {
    let read = 0;
    let most = 0;
    walkWal(
      (position, length) => {
        read += length;
        most = Math.max(most, length);
        return made.wal.subarray(position, position + length);
      },
      start,
      made.wal.length,
    );
    expect(most).toBeLessThanOrEqual(256 * 1024);
    expect(read).toBeLessThanOrEqual(2 * made.wal.length);
  });

  it('cut at a commit gives DuckDB exactly the commits up to there', async () => {
    const folder = await temporaryFolder();
    try {
      for (const count of [1, 5, 8, 20, STATEMENTS.length]) {
        const torn = made.wal.subarray(0, Math.min(made.wal.length, (commits[count - 1] ?? 0) + 20));
        const { lastCommit } = walk(torn, start);
        const path = join(folder.path, `cut-${count}.duckdb`);
        await writeFile(path, made.main);
        await writeFile(`${path}.wal`, torn.subarray(0, lastCommit));
        expect(await rowsOf(path)).toEqual(await rowsAfter(STATEMENTS.slice(0, count)));
      }
    } finally {
      await folder.remove();
    }
  });
});

/** Every value of `t`, in order. */
async function rowsOf(path: string): Promise<string> {
  return query([`ATTACH '${path}' AS cut`, 'USE cut']);
}

async function rowsAfter(statements: readonly string[]): Promise<string> {
  return query(['CREATE TABLE t (i BIGINT)', ...statements]);
}

async function query(statements: readonly string[]): Promise<string> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    for (const statement of statements) await connection.run(statement);
    const reader = await connection.runAndReadAll('SELECT count(*), md5(string_agg(i, chr(10) ORDER BY i)) FROM t');
    return String(reader.getRows()[0]);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
