import { z } from 'zod';
import { EiderError } from '../errors/eider-error.js';
import { FORMAT_VERSION } from './manifest.js';

const recordSchema = z.looseObject({
  format: z.int().positive(),
  environment: z.string().min(1),
  database: z.string().min(1),
  createdAt: z.iso.datetime(),
});

/** repository.json: whose backups these are, in which format, and how to restore them without Eider. */
export type RepositoryRecord = z.infer<typeof recordSchema>;

const RESTORE_BY_HAND = [
  'A full backup needs no Eider: fetch NAME.duckdb.zst and run `zstd -d NAME.duckdb.zst`.',
  'Where NAME.duckdb.wal.zst exists, fetch and decompress it too, beside the file as NAME.duckdb.wal.',
  'Then open NAME.duckdb with DuckDB of the version that NAME.json records in database.duckdbVersion, or newer.',
  'NAME.json (the manifest) lists every object of the backup, its sizes and its tables.',
  'An incremental backup (kind in NAME.json) has its blocks in several packs; the tables under extents/ say where: a JSON line for each block with pack, offset, length and SHA-256.',
  'Where encryption in NAME.json is not null, packs, logs and tables end in .enc and open only with the key of that id: AES-256-GCM, as docs/format.md describes.',
];

/** The bytes of a new repository.json. */
export function encodeRepositoryRecord(environment: string, database: string, now: Date): Buffer {
  const record: RepositoryRecord = {
    format: FORMAT_VERSION,
    environment,
    database,
    createdAt: now.toISOString(),
    restoreByHand: RESTORE_BY_HAND,
  };
  return Buffer.from(`${JSON.stringify(record, null, 2)}\n`);
}

/** Reads repository.json. Throws REPOSITORY_CORRUPT, REPOSITORY_FORMAT_NEWER. */
export function decodeRepositoryRecord(body: Buffer): RepositoryRecord {
  let json: unknown;
  try {
    json = JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new EiderError('REPOSITORY_CORRUPT', 'repository.json is not JSON.', { cause: error });
  }
  const record = recordSchema.safeParse(json);
  if (!record.success) {
    throw new EiderError('REPOSITORY_CORRUPT', `repository.json is not valid: ${z.prettifyError(record.error)}`);
  }
  if (record.data.format > FORMAT_VERSION) {
    throw new EiderError(
      'REPOSITORY_FORMAT_NEWER',
      `The repository has format ${record.data.format}; this release knows up to ${FORMAT_VERSION}.`,
    );
  }
  return record.data;
}

/**
 * Refuses a repository of another environment or database.
 *
 * A developer's machine can then never overwrite production, and two databases never mix in one repository.
 */
export function checkOwner(record: RepositoryRecord, environment: string, database: string, where: string): void {
  if (record.environment !== environment) {
    throw new EiderError(
      'REPOSITORY_ENVIRONMENT_MISMATCH',
      `The repository at ${where} belongs to the environment ${record.environment}; this service runs as ${environment}.`,
      { details: { repository: record.environment, service: environment } },
    );
  }
  if (record.database !== database) {
    throw new EiderError(
      'REPOSITORY_DATABASE_MISMATCH',
      `The repository at ${where} holds ${record.database}; this service backs up ${database} (R2_DATABASE_KEY).`,
      { details: { repository: record.database, service: database } },
    );
  }
}
