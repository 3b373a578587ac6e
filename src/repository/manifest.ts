import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ALGORITHM } from '../encryption/seal.js';
import { EiderError } from '../errors/eider-error.js';
import { positionSchema } from './position.js';

/** Version of the repository format that this code writes. docs/format.md describes it. */
export const FORMAT_VERSION = 1;

const bytes = z.int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const key = z.string().min(1).max(512);
/** In an encrypted backup: sealed, in base64 (./sealed-facts.ts). */
const sealed = /^[A-Za-z0-9+/]{38,400}={0,2}$/;

/** Where the bytes of one block are: a range of a pack, and the SHA-256 of the block itself. */
export const frameSchema = z.strictObject({ pack: key, offset: bytes, length: bytes, sha256 });

/** Reasons for a backup. `checkpoint` is the rotation of the write-ahead log. */
export const TRIGGERS = ['shutdown', 'interval', 'manual', 'pre-restore', 'checkpoint', 'migration'] as const;
export type Trigger = (typeof TRIGGERS)[number];

const databaseSchema = z.strictObject({
  name: z.string(),
  size: bytes,
  blockSize: z.literal(262_144),
  blocks: z.int().nonnegative(),
  duckdbVersion: z.string(),
  storageVersion: z.int().positive(),
  identifier: z.string().regex(/^[0-9a-f]{32}$/),
  schemaVersion: z.int().nonnegative().nullable(),
  header: frameSchema,
});

const tableSchema = z.strictObject({
  schema: z.string(),
  name: z.string(),
  rows: z.int().nonnegative(),
  exact: z.boolean(),
  hash: z.string().regex(/^\d+$/).or(z.string().regex(sealed)).nullable(),
});

/** How every frame, block table and log of a backup is encrypted: all under one key. */
/** Under which key something is encrypted. */
export const encryptionSchema = z.strictObject({
  algorithm: z.literal(ALGORITHM),
  keyId: z.string().regex(/^[0-9a-f]{16}$/),
});

const extentSchema = z.strictObject({ key, sha256, first: z.int().nonnegative(), count: z.int().positive() });

export const manifestSchema = z.strictObject({
  format: z.literal(FORMAT_VERSION),
  name: z.string(),
  kind: z.enum(['full', 'incremental']),
  trigger: z.enum(TRIGGERS),
  createdAt: z.iso.datetime(),
  environment: z.string(),
  position: positionSchema,
  lineageParent: positionSchema.nullable(),
  epoch: z.int().nonnegative(),
  writer: z.uuid(),
  log: z.int().nonnegative(),
  parent: z.string().nullable(),
  fork: z.boolean(),
  database: databaseSchema,
  tables: z.array(tableSchema),
  compression: z.enum(['zstd', 'none']),
  encryption: encryptionSchema.nullable(),
  packs: z.array(z.strictObject({ key, length: bytes })).min(1),
  extents: z.array(extentSchema),
  wal: z.strictObject({ key, length: bytes, stored: bytes, sha256: sha256.or(z.string().regex(sealed)) }).nullable(),
  bytes: z.strictObject({ read: bytes, added: bytes, stored: bytes }),
  durations: z.strictObject({ checkpointMs: bytes, captureMs: bytes, totalMs: bytes }),
  host: z.string(),
  application: z.strictObject({ name: z.string(), version: z.string() }),
  label: z.string().max(200).nullable(),
  pinned: z.boolean(),
});

/** The commit record of one backup: a backup exists when its manifest exists. */
export type Manifest = z.infer<typeof manifestSchema>;
export type ExtentReference = z.infer<typeof extentSchema>;
export type Frame = z.infer<typeof frameSchema>;
export type ManifestTable = z.infer<typeof tableSchema>;

/** Every object that restoring a backup reads. */
export function objectsOf({ packs, extents, wal }: Manifest): string[] {
  return [
    ...packs.map(({ key: pack }) => pack),
    ...extents.map((extent) => extent.key),
    ...(wal === null ? [] : [wal.key]),
  ];
}

/**
 * The bytes of a manifest: JSON whose last field is the SHA-256 of the compact JSON of all fields before it, so that
 * `jq -c 'del(.checksum)' | tr -d '\n' | sha256sum` checks it.
 */
export function encodeManifest(manifest: Manifest): Buffer {
  const valid = manifestSchema.parse(manifest);
  return Buffer.from(`${JSON.stringify({ ...valid, checksum: checksumOf(valid) }, null, 2)}\n`);
}

/**
 * Reads a manifest and checks everything that can be checked without another object.
 *
 * @throws EiderError REPOSITORY_FORMAT_NEWER, MANIFEST_CORRUPT
 */
export function decodeManifest(name: string, body: Buffer): Manifest {
  const damaged = (why: string, cause?: unknown): EiderError =>
    new EiderError('MANIFEST_CORRUPT', `The manifest of ${name} ${why}.`, { cause, details: { backup: name } });
  let json: unknown;
  try {
    json = JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw damaged('is not JSON: it was cut or overwritten', error);
  }
  const record = z.record(z.string(), z.unknown()).safeParse(json);
  if (!record.success) throw damaged('is not a JSON object');
  const { checksum, ...fields } = record.data;
  if (checksumOf(fields) !== checksum) throw damaged('does not match its checksum');
  const { format } = fields;
  if (typeof format === 'number' && format > FORMAT_VERSION) {
    throw new EiderError(
      'REPOSITORY_FORMAT_NEWER',
      `The backup ${name} has format ${format}; this release reads up to ${FORMAT_VERSION}.`,
      { details: { backup: name, format } },
    );
  }
  const manifest = manifestSchema.safeParse(fields);
  if (!manifest.success) throw damaged(`is not valid: ${z.prettifyError(manifest.error)}`);
  if (manifest.data.name !== name) throw damaged(`belongs to ${manifest.data.name}`);
  return manifest.data;
}

function checksumOf(fields: object): string {
  return createHash('sha256').update(JSON.stringify(fields)).digest('hex');
}
