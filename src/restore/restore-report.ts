import type { FoundBackup } from '../repository/repository.js';
import type { WorkingCopy } from './working-copies.js';

/** What a restore did. */
export interface RestoreReport {
  readonly backup: string;
  readonly database: string;
  readonly bytes: number;
  /** Bytes that were read from the store. */
  readonly fetchedBytes: number;
  /** Blocks of the file, its headers counted as one, where the backup tells; and those that were on the disk already. */
  readonly blocks: number | null;
  readonly localBlocks: number;
  readonly durationMs: number;
  /** The database that was replaced; null where there was none. */
  readonly restorePoint: string | null;
}

/** Where a working copy went, and what that took. */
export type Placed = Pick<RestoreReport, 'database' | 'bytes' | 'durationMs' | 'restorePoint'>;

export function reportOf({ found, fetched }: WorkingCopy, placed: Placed): RestoreReport {
  const { database, bytes, durationMs, restorePoint } = placed;
  return {
    backup: nameOf(found),
    database,
    bytes,
    fetchedBytes: fetched.fetchedBytes,
    blocks: found.kind === 'eider' ? found.manifest.database.blocks + 1 : null,
    localBlocks: fetched.localBlocks,
    durationMs,
    restorePoint,
  };
}

/** The name by which the user knows a backup. */
export function nameOf(found: FoundBackup): string {
  return found.kind === 'eider' ? found.manifest.name : found.foreign.name;
}
