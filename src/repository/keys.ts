import { type BackupName, parseBackupName } from './backup-name.js';

/** Objects of the repository, relative to R2_BACKUP_PATH. docs/format.md describes each. */
export const REPOSITORY_KEY = 'repository.json';
export const EXTENTS_PREFIX = 'extents/';
export const PENDING_PREFIX = 'pending/';
export const NOTES_PREFIX = 'notes/';
export const HOLDS_PREFIX = 'holds/';
export const LOG_PREFIX = 'log/';

export const manifestKey = (name: string): string => `${name}.json`;
/** What is encrypted says so at the end of its key: no stock tool takes it for a file that it can open. */
const SEALED = '.enc';

/** How packs and logs of a backup are stored. */
export interface ObjectForm {
  readonly compressed: boolean;
  readonly encrypted: boolean;
}

const suffixOf = ({ compressed, encrypted }: ObjectForm): string =>
  `${compressed ? '.zst' : ''}${encrypted ? SEALED : ''}`;

export const fullPackKey = (name: string, form: ObjectForm): string => `${name}.duckdb${suffixOf(form)}`;
export const blocksKey = (name: string, form: ObjectForm): string => `${name}.blocks${suffixOf(form)}`;
export const walKey = (name: string, form: ObjectForm): string => `${name}.duckdb.wal${suffixOf(form)}`;
export const extentKey = (sha256: string, encrypted: boolean): string =>
  `${EXTENTS_PREFIX}${sha256}.jsonl${suffixOf({ compressed: true, encrypted })}`;
export const pendingKey = (name: string): string => `${PENDING_PREFIX}${name}.json`;
/** A record of the log; numbers sort as text. */
export const logKey = (number: number): string => `${LOG_PREFIX}${String(number).padStart(12, '0')}`;
/** What a record holds that is too large to be in it. Of one attempt alone, so that two writers never meet here. */
export const logPayloadKey = (number: number, nonce: string, form: ObjectForm): string =>
  `${recordName(number, nonce)}${suffixOf(form)}`;
/** The number of a record, of whose payload a key may be, too; undefined for other keys. */
export function recordNumberOf(key: string): number | undefined {
  const digits = /^log\/(\d{12})(?:-[^/]*)?$/.exec(key)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
/** The number of the record whose key this is, and not its payload; undefined for other keys. */
export function logNumber(key: string): number | undefined {
  return key.includes('-') ? undefined : recordNumberOf(key);
}
/** One attempt at a record. */
export const recordName = (number: number, nonce: string): string => `${logKey(number)}-${nonce}`;
export const noteKey = (name: string): string => `${NOTES_PREFIX}${name}.json`;
export const holdKey = (id: string): string => `${HOLDS_PREFIX}${id}.json`;

/** `<name>` of `<prefix><name>.json`; undefined for whatever else is below the prefix. */
export function nameBelow(prefix: string, key: string): string | undefined {
  const rest = key.startsWith(prefix) ? key.slice(prefix.length) : '';
  return rest.endsWith('.json') && !rest.includes('/') ? rest.slice(0, -'.json'.length) : undefined;
}

const OWN_OBJECT = /^([^/]+?)\.(?:duckdb|blocks|duckdb\.wal)(?:\.zst)?(?:\.enc)?$/;

/** The backup that a pack or a log is of, as far as its key tells; undefined for everything else. */
export function ownerOf(key: string): string | undefined {
  return OWN_OBJECT.exec(key)?.[1];
}

const FORMS: readonly ObjectForm[] = [true, false].flatMap((compressed) =>
  [true, false].map((encrypted) => ({ compressed, encrypted })),
);

/**
 * The keys of everything that a backup may have stored under its name, its manifest apart: the log, then the packs.
 *
 * @param form - as this backup was stored; by default in every form
 */
export function partKeysOf(name: string, form?: ObjectForm): string[] {
  const forms = form === undefined ? FORMS : [form];
  return forms.flatMap((each) => [walKey, fullPackKey, blocksKey].map((key) => key(name, each)));
}

/** Whether the object of a key is encrypted, as its name says. */
export function isSealed(key: string): boolean {
  return key.endsWith(SEALED);
}

/** What an object at the top of the repository is, told from its key alone. */
export type TopLevelKey =
  | { readonly kind: 'manifest'; readonly name: string; readonly parsed: BackupName }
  | { readonly kind: 'image'; readonly name: string; readonly encoding: ImageEncoding }
  /** A pack of a full backup that only a key opens: never a file that somebody put there. */
  | { readonly kind: 'sealed-image'; readonly name: string }
  | { readonly kind: 'wal'; readonly name: string }
  | { readonly kind: 'other' };

/** How a whole database file is stored. */
export type ImageEncoding = 'plain' | 'gzip' | 'zstd';

const IMAGE = /^(.+)\.duckdb(\.gz|\.zst)?$/;
const SEALED_IMAGE = /^(.+)\.duckdb(?:\.zst)?\.enc$/;
const WAL = /^(.+)\.duckdb\.wal(?:\.zst)?(?:\.enc)?$/;
const ENCODINGS: Readonly<Record<string, ImageEncoding>> = { '.gz': 'gzip', '.zst': 'zstd' };

/** Classifies a key without a slash. */
export function classifyKey(key: string): TopLevelKey {
  const wal = WAL.exec(key);
  if (wal !== null) return { kind: 'wal', name: wal[1] ?? '' };
  const image = IMAGE.exec(key);
  if (image !== null) return { kind: 'image', name: image[1] ?? '', encoding: ENCODINGS[image[2] ?? ''] ?? 'plain' };
  const sealed = SEALED_IMAGE.exec(key);
  if (sealed !== null) return { kind: 'sealed-image', name: sealed[1] ?? '' };
  const name = key.endsWith('.json') ? key.slice(0, -'.json'.length) : '';
  const parsed = parseBackupName(name);
  return parsed === undefined ? { kind: 'other' } : { kind: 'manifest', name, parsed };
}

/** The full backup whose pack a key is; undefined for other packs. */
export function fullBackupOf(pack: string): BackupName | undefined {
  const key = classifyKey(pack);
  return key.kind === 'image' || key.kind === 'sealed-image' ? parseBackupName(key.name) : undefined;
}

/** The backup that a user means: its name, or the name of its pack as an operator sees it in the bucket. */
export function backupNameOf(text: string): string {
  return text.replace(/\.json$|\.blocks(\.zst)?(\.enc)?$|\.duckdb(\.gz|(\.zst)?(\.enc)?)$/, '');
}
