import { createHash } from 'node:crypto';
import { z } from 'zod';
import { EiderError, messageOf } from '../errors/eider-error.js';
import { encryptionSchema } from './manifest.js';
import { positionSchema } from './position.js';

/**
 * A record of the log: `EIDERLOG`, u32 length of the head (little endian), SHA-256 of the head, the head as JSON, then the
 * payload to the end. docs/format.md describes it.
 */
const MAGIC = Buffer.from('EIDERLOG');
const HEAD_START = MAGIC.length + 4 + 32;
/** A head lists marks and blocks; no writer makes one that is longer. */
const HEAD_MOST = 16 * 1024 * 1024;

const bytes = z.int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
/** Sealed, and in base64, where the record is encrypted: it would confirm a guess of what was written. */
const contentHash = z.union([sha256, z.string().regex(/^[A-Za-z0-9+/]{100,200}={0,2}$/)]);

const common = {
  format: z.literal(1),
  number: z.int().positive(),
  /** Of this record alone: where an answer is lost, it tells whose record is there. */
  nonce: z.uuid(),
  writer: z.uuid(),
  epoch: z.int().nonnegative(),
  lineage: z.uuid(),
  at: z.iso.datetime(),
};

const openSchema = z.strictObject({
  ...common,
  kind: z.literal('open'),
  parent: positionSchema.nullable(),
  position: positionSchema,
  host: z.string(),
});

const backupSchema = z.strictObject({
  ...common,
  kind: z.literal('backup'),
  backup: z.string(),
  position: positionSchema,
  /** Why commits before it may be in no record; null where every one is. */
  gap: z.string().nullable(),
  /** DuckDB took back the commits behind this position, and records before this one may hold them; null where none were. */
  takenBack: positionSchema.nullable(),
});

/** A block of the database file that the log points at. */
const blockSchema = z.strictObject({
  block: z.int().nonnegative(),
  length: bytes,
  stored: bytes,
  sha256: contentHash,
});

/** `[offset just after a commit, when it was first seen in ms since 1970]`. */
const markSchema = z.tuple([bytes, bytes]);

const walSchema = z.strictObject({
  ...common,
  kind: z.literal('wal'),
  /** The backup that the commits of this iteration rest on. */
  base: z.string(),
  iteration: z.int().nonnegative(),
  from: bytes,
  to: bytes,
  commits: z.int().positive(),
  marks: z.array(markSchema).min(1),
  wal: z.strictObject({ length: bytes, stored: bytes, sha256: contentHash }),
  blocks: z.array(blockSchema),
  compression: z.enum(['zstd', 'none']),
  encryption: encryptionSchema.nullable(),
  /** Where the payload is when it is too large for the record; null where it follows the head. */
  payload: z.strictObject({ key: z.string(), length: bytes }).nullable(),
});

const closeSchema = z.strictObject({ ...common, kind: z.literal('close'), position: positionSchema });

export const logHeadSchema = z.discriminatedUnion('kind', [openSchema, backupSchema, walSchema, closeSchema]);

/** What a record says. */
export type LogHead = z.infer<typeof logHeadSchema>;
export type WalRecordHead = z.infer<typeof walSchema>;
export type WalBlock = z.infer<typeof blockSchema>;
export type CommitMark = z.infer<typeof markSchema>;

/** A record with the bytes that follow its head. */
export interface LogRecord {
  readonly head: LogHead;
  readonly payload: Buffer;
}

/** The bytes of a record. */
export function encodeLogRecord(head: LogHead, payload: Buffer = Buffer.alloc(0)): Buffer {
  const json = Buffer.from(JSON.stringify(logHeadSchema.parse(head)));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return Buffer.concat([MAGIC, length, createHash('sha256').update(json).digest(), json, payload]);
}

/**
 * Reads a record. Its payload is checked by whoever uses it, against the hashes of the head.
 *
 * @throws EiderError LOG_RECORD_CORRUPT, which names the record
 */
export function decodeLogRecord(number: number, record: Buffer): LogRecord {
  const damaged = (why: string, cause?: unknown): EiderError => logRecordCorrupt(number, why, cause);
  if (record.length < HEAD_START || !record.subarray(0, MAGIC.length).equals(MAGIC)) throw damaged('is no record');
  const length = record.readUInt32LE(MAGIC.length);
  if (length > HEAD_MOST || HEAD_START + length > record.length) throw damaged('was cut');
  const json = record.subarray(HEAD_START, HEAD_START + length);
  const hash = record.subarray(HEAD_START - 32, HEAD_START);
  if (!createHash('sha256').update(json).digest().equals(hash)) throw damaged('does not match its SHA-256');
  let head: LogHead;
  try {
    head = logHeadSchema.parse(JSON.parse(json.toString('utf8')));
  } catch (error) {
    throw damaged(`cannot be read: ${messageOf(error)}`, error);
  }
  if (head.number !== number) throw damaged(`says that it is record ${head.number}`);
  return { head, payload: record.subarray(HEAD_START + length) };
}

export function logRecordCorrupt(number: number, why: string, cause?: unknown): EiderError {
  return new EiderError('LOG_RECORD_CORRUPT', `Record ${number} of the log ${why}.`, {
    cause,
    details: { record: number },
  });
}
