import { type BackupName, parseBackupName } from './backup-name.js';

/** Objects of the repository, relative to R2_BACKUP_PATH. docs/format.md describes each. */
export const REPOSITORY_KEY = 'repository.json';
export const EXTENTS_PREFIX = 'extents/';
export const PENDING_PREFIX = 'pending/';
export const NOTES_PREFIX = 'notes/';
export const LOG_PREFIX = 'log/';

export const manifestKey = (name: string): string => `${name}.json`;
export const fullPackKey = (name: string, compressed: boolean): string => `${name}.duckdb${compressed ? '.zst' : ''}`;
export const blocksKey = (name: string, compressed: boolean): string => `${name}.blocks${compressed ? '.zst' : ''}`;
export const walKey = (name: string, compressed: boolean): string => `${name}.duckdb.wal${compressed ? '.zst' : ''}`;
export const extentKey = (sha256: string): string => `${EXTENTS_PREFIX}${sha256}.jsonl.zst`;
export const pendingKey = (name: string): string => `${PENDING_PREFIX}${name}.json`;
/** A record of the log; numbers sort as text. */
export const logKey = (number: number): string => `${LOG_PREFIX}${String(number).padStart(12, '0')}`;
/** The number of the record whose key this is; undefined for other keys below `log/`. */
export function logNumber(key: string): number | undefined {
  const digits = /^log\/(\d{12})$/.exec(key)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
/** What a record holds that is too large to be in it. Of one attempt alone, so that two writers never meet here. */
export const logPayloadKey = (number: number, nonce: string): string => `${logKey(number)}-${nonce}.zst`;
export const noteKey = (name: string): string => `${NOTES_PREFIX}${name}.json`;

/** What an object at the top of the repository is, told from its key alone. */
export type TopLevelKey =
  | { readonly kind: 'manifest'; readonly name: string; readonly parsed: BackupName }
  | { readonly kind: 'image'; readonly name: string; readonly encoding: ImageEncoding }
  | { readonly kind: 'wal'; readonly name: string }
  | { readonly kind: 'other' };

/** How a whole database file is stored. */
export type ImageEncoding = 'plain' | 'gzip' | 'zstd';

const IMAGE = /^(.+)\.duckdb(\.gz|\.zst)?$/;
const WAL = /^(.+)\.duckdb\.wal(?:\.zst)?$/;
const ENCODINGS: Readonly<Record<string, ImageEncoding>> = { '.gz': 'gzip', '.zst': 'zstd' };

/** Classifies a key without a slash. */
export function classifyKey(key: string): TopLevelKey {
  const wal = WAL.exec(key);
  if (wal !== null) return { kind: 'wal', name: wal[1] ?? '' };
  const image = IMAGE.exec(key);
  if (image !== null) return { kind: 'image', name: image[1] ?? '', encoding: ENCODINGS[image[2] ?? ''] ?? 'plain' };
  const name = key.endsWith('.json') ? key.slice(0, -'.json'.length) : '';
  const parsed = parseBackupName(name);
  return parsed === undefined ? { kind: 'other' } : { kind: 'manifest', name, parsed };
}

/** The full backup whose pack a key is; undefined for other packs. */
export function fullBackupOf(pack: string): BackupName | undefined {
  const key = classifyKey(pack);
  return key.kind === 'image' ? parseBackupName(key.name) : undefined;
}

/** The backup that a user means: its name, or the name of its pack as an operator sees it in the bucket. */
export function backupNameOf(text: string): string {
  return text.replace(/\.json$|\.blocks(\.zst)?$|\.duckdb(\.zst|\.gz)?$/, '');
}
