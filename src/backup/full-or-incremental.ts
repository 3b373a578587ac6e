import type { Compression } from '../block-pool/codec.js';
import { fullBackupOf } from '../repository/keys.js';
import type { Manifest } from '../repository/manifest.js';

/** What decides whether a backup may build on the one before it. */
export interface BaseFacts {
  readonly manifest: Manifest;
  /** Bytes of its packs that it uses. */
  readonly usedBytes: number;
  /** Size of each object at the top of the repository, as it was listed. */
  readonly sizes: ReadonlyMap<string, { readonly size: number }>;
}

export interface FullBackupRules {
  readonly compression: Compression;
  /** A full backup is due when the last one is older, ms; 0 for never. */
  readonly fullEveryMs: number;
  /** Age at which retention removes backups, ms; undefined where it removes none. */
  readonly retentionMs: number | undefined;
}

/** Below this share of used bytes an incremental backup would keep more that is of no use than it spares. */
const LEAST_USED = 0.5;
/** A base that retention could remove while the backup that builds on it is under way is none, ms. */
const LONGEST_BACKUP_MS = 24 * 3_600_000;

/**
 * Why the next backup has to be a full one, for people; undefined where it may be incremental.
 *
 * Pure. What it builds on may be of another history: blocks are known by their SHA-256 alone.
 */
export function reasonForFull(base: BaseFacts, rules: FullBackupRules, now: Date): string | undefined {
  const { manifest, usedBytes, sizes } = base;
  if (manifest.compression !== rules.compression)
    return `${manifest.name} was stored with R2_COMPRESS_UPLOADS otherwise`;
  const missing = manifest.packs.find(({ key, length }) => sizes.get(key)?.size !== length);
  if (missing !== undefined) return `the pack ${missing.key} of ${manifest.name} is missing or has another size`;
  const full = Math.max(...manifest.packs.map(({ key }) => fullBackupOf(key)?.time.getTime() ?? -Infinity));
  const age = now.getTime() - full;
  if (rules.fullEveryMs > 0 && age >= rules.fullEveryMs)
    return 'the last full backup is older than R2_FULL_BACKUP_DAYS';
  const baseAge = now.getTime() - Date.parse(manifest.createdAt);
  if (rules.retentionMs !== undefined && baseAge > rules.retentionMs - LONGEST_BACKUP_MS) {
    return `${manifest.name} is about to be removed by retention`;
  }
  const total = manifest.packs.reduce((sum, { length }) => sum + length, 0);
  if (usedBytes < total * LEAST_USED) return `less than half of the packs of ${manifest.name} is still used`;
  return undefined;
}
