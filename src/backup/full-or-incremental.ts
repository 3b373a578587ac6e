import type { Compression } from '../block-pool/codec.js';
import { fullBackupOf } from '../repository/keys.js';
import type { Manifest } from '../repository/manifest.js';
import type { PackUse } from './worn-packs.js';

/** What decides whether a backup may build on the one before it. */
export interface BaseFacts {
  readonly manifest: Manifest;
  /** Bytes of its packs that it uses. */
  readonly use: PackUse;
  /** Packs of which so little is used that the next backup would store that again. */
  readonly worn: ReadonlySet<string>;
  /** Size of each object at the top of the repository, as it was listed. */
  readonly sizes: ReadonlyMap<string, { readonly size: number }>;
}

export interface FullBackupRules {
  readonly compression: Compression;
  /** Id of the key that writes; undefined where nothing is encrypted. */
  readonly keyId: string | undefined;
  /** A full backup is due when the last one is older, ms; 0 for never. */
  readonly fullEveryMs: number;
  /** Somebody waits for this backup, or will kill it: what can wait is left to a later one. */
  readonly hurried: boolean;
}

/** Below this share of used bytes an incremental backup would keep more that is of no use than it spares. */
const LEAST_USED = 0.5;
/** More packs than a week of half-hourly backups has: manifests name each one, and a restore reads from each one. */
const MOST_PACKS = 350;

/**
 * Why the next backup has to be a full one, for people; undefined where it may be incremental.
 *
 * Pure. What it builds on may be of another history: blocks are known by their SHA-256 alone.
 */
export function reasonForFull(base: BaseFacts, rules: FullBackupRules, now: Date): string | undefined {
  const { manifest, use, worn, sizes } = base;
  if (manifest.compression !== rules.compression)
    return `${manifest.name} was stored with R2_COMPRESS_UPLOADS otherwise`;
  // Never under two keys: whoever has the newest one must be able to read all of the newest backup.
  if (manifest.encryption?.keyId !== rules.keyId) return `${manifest.name} is ${encryptedUnder(manifest)}`;
  const missing = manifest.packs.find(({ key, length }) => sizes.get(key)?.size !== length);
  if (missing !== undefined) return `the pack ${missing.key} of ${manifest.name} is missing or has another size`;
  if (rules.hurried) return undefined;
  const packs = manifest.packs.length - worn.size;
  if (packs >= MOST_PACKS) return `${manifest.name} lies in ${packs} packs`;
  // A name can be of the future, where a clock once was ahead: then the number of packs decides.
  const full = Math.max(...manifest.packs.map(({ key }) => fullBackupOf(key)?.time.getTime() ?? -Infinity));
  const age = now.getTime() - full;
  if (rules.fullEveryMs > 0 && age >= rules.fullEveryMs)
    return 'the last full backup is older than R2_FULL_BACKUP_DAYS';
  // As the next backup would leave them.
  const total = sum(manifest.packs.map(({ key, length }) => (worn.has(key) ? (use.get(key) ?? 0) : length)));
  if (sum(use.values()) < total * LEAST_USED) {
    return `less than half of the packs of ${manifest.name} is still used`;
  }
  return undefined;
}

function encryptedUnder({ encryption }: Manifest): string {
  return encryption === null ? 'not encrypted' : `encrypted under another key, ${encryption.keyId}`;
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
