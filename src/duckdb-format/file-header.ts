import { duckdbChecksum } from './checksum.js';
import { BLOCK_SIZE, HEADER_SIZE, HEADERS_SIZE, toSafeInteger } from './layout.js';

/**
 * First serialization compatibility with which the file carries an identity and its log is bound to it: STORAGE_VERSION
 * v1.4.0. The file version does not tell: DuckDB leaves it at 65 when it upgrades an older file (`WriteHeader` in
 * `single_file_block_manager.cpp`).
 */
const FIRST_COMPATIBILITY_WITH_IDENTITY = 6;
/** Where the identity is, and its length. */
const IDENTIFIER = { offset: 124, length: 16 } as const;
/** Newest file version that DuckDB 1.5 writes: STORAGE_VERSION v1.5.0. */
export const NEWEST_VERSION = 68;

/** STORAGE_VERSION that writes a file version; the newest one that does. Source: `storage_info.cpp` in DuckDB 1.5. */
const STORAGE_VERSIONS: Readonly<Record<number, string>> = {
  64: 'v1.0.0',
  65: 'v1.2.0',
  66: 'v1.3.0',
  67: 'v1.4.0',
  68: 'v1.5.0',
};

/** A file version in words that DuckDB's documentation uses. */
export function storageVersionName(version: number): string {
  const name = STORAGE_VERSIONS[version];
  return name === undefined ? `file version ${version}` : `file version ${version}, STORAGE_VERSION ${name}`;
}

/** What the three headers of a database file tell. */
export interface FileHeader {
  /** File version: 64 to 68 so far. */
  readonly version: number;
  /** DuckDB version that created the file, as written there. */
  readonly library: string;
  /** Serialization compatibility of the header in force: 1 to 7 so far. */
  readonly compatibility: number;
  /** Identity of the database, 32 hex digits; all zeros where the file has none. */
  readonly identifier: string;
  /** Checkpoint counter of the header in force. */
  readonly iteration: number;
  /** Blocks in use or free; what lies behind them in the file is free. */
  readonly blockCount: number;
  /** Pointer to the free list: block id in the low 56 bits, sub-block in the high 8. */
  readonly freeList: bigint;
  /**
   * Whether the header that is not in force is torn: it is being written in this moment, or a crash has left it so. DuckDB
   * does not open such a file.
   */
  readonly torn: boolean;
}

/** Why bytes are not the headers of a database that this code can work with. */
export type HeaderProblem = 'not-duckdb' | 'corrupt' | 'newer' | 'encrypted' | 'block-size';

export type HeaderResult =
  | { readonly ok: true; readonly header: FileHeader }
  | { readonly ok: false; readonly problem: HeaderProblem; readonly detail: string };

const MAGIC = 'DUCK';

/**
 * Reads the first 12,288 bytes of a database file.
 *
 * Of the two database headers the whole one with the higher iteration is in force, so that an open database can be looked
 * at while a checkpoint writes the other.
 */
export function parseFileHeader(bytes: Buffer): HeaderResult {
  const no = (problem: HeaderProblem, detail: string): HeaderResult => ({ ok: false, problem, detail });
  if (bytes.length < HEADERS_SIZE) return no('not-duckdb', `it has only ${bytes.length} bytes`);
  if (bytes.toString('latin1', 8, 12) !== MAGIC) return no('not-duckdb', 'it does not begin as a DuckDB database does');
  if (!isWhole(bytes, 0)) return no('corrupt', 'the checksum of its main header is wrong');
  const version = toSafeInteger(bytes.readBigUInt64LE(12));
  if (version > NEWEST_VERSION)
    return no(
      'newer',
      `it has ${storageVersionName(version)}; this DuckDB reads up to ${storageVersionName(NEWEST_VERSION)}`,
    );
  if ((bytes.readBigUInt64LE(20) & 1n) === 1n) return no('encrypted', 'its headers are encrypted');
  const slots = [HEADER_SIZE, 2 * HEADER_SIZE].filter((offset) => isWhole(bytes, offset));
  const active = slots.toSorted((a, b) => Number(bytes.readBigUInt64LE(b + 8) - bytes.readBigUInt64LE(a + 8)))[0];
  if (active === undefined) return no('corrupt', 'the checksums of both its database headers are wrong');
  const blockSize = toSafeInteger(bytes.readBigUInt64LE(active + 40));
  if (blockSize !== BLOCK_SIZE) return no('block-size', `its blocks have ${blockSize} bytes in place of ${BLOCK_SIZE}`);
  const compatibility = toSafeInteger(bytes.readBigUInt64LE(active + 56));
  return {
    ok: true,
    header: {
      version,
      library: text(bytes, 52, 32),
      compatibility,
      identifier: compatibility >= FIRST_COMPATIBILITY_WITH_IDENTITY ? identifierOf(bytes) : NO_IDENTIFIER,
      iteration: toSafeInteger(bytes.readBigUInt64LE(active + 8)),
      blockCount: toSafeInteger(bytes.readBigUInt64LE(active + 32)),
      freeList: bytes.readBigUInt64LE(active + 24),
      torn: slots.length < 2,
    },
  };
}

/** Whether a file has an identity that its log is bound to. */
export function hasIdentity({ identifier }: Pick<FileHeader, 'identifier'>): boolean {
  return identifier !== NO_IDENTIFIER;
}

/**
 * The main header of a file with another identity.
 *
 * @param main - the first 4,096 bytes of a file without a log
 * @param identifier - 16 bytes
 */
export function withIdentifier(main: Buffer, identifier: Buffer): Buffer {
  if (main.length !== HEADER_SIZE || identifier.length !== IDENTIFIER.length) throw new RangeError('wrong length');
  const changed = Buffer.from(main);
  identifier.copy(changed, IDENTIFIER.offset);
  changed.writeBigUInt64LE(duckdbChecksum(changed.subarray(8)), 0);
  return changed;
}

const NO_IDENTIFIER = '0'.repeat(2 * IDENTIFIER.length);

function identifierOf(bytes: Buffer): string {
  return bytes.toString('hex', IDENTIFIER.offset, IDENTIFIER.offset + IDENTIFIER.length);
}

function isWhole(bytes: Buffer, offset: number): boolean {
  return bytes.readBigUInt64LE(offset) === duckdbChecksum(bytes.subarray(offset + 8, offset + HEADER_SIZE));
}

function text(bytes: Buffer, offset: number, length: number): string {
  return bytes.toString('latin1', offset, offset + length).replace(/\0.*$/, '');
}
