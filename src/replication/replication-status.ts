import type { FilePosition } from '../duckdb-format/file-position.js';

/** What following the log of the open database is doing. */
export type FollowingState =
  /** A backup has to be taken first: commits since the last checkpoint rest on it. */
  'awaiting-base' | 'shipping';

/** What shipping is doing. */
export type ReplicationState =
  | FollowingState
  /** R2_WAL_SYNC_INTERVAL_MS is 0, or backups are turned off. */
  | 'off'
  /** The log was not reached since the start. */
  | 'disconnected'
  /** Another process has taken over. */
  | 'fenced'
  | 'stopped';

/** How far shipping is, for health. */
export interface ReplicationStatus {
  readonly state: ReplicationState;
  /** What is in the store; null while that is not known. */
  readonly shipped: FilePosition | null;
  /** Bytes of commits that are not. */
  readonly waitingBytes: number;
  /** When the oldest of these was seen; null where there is none. */
  readonly waitingSince: string | null;
  /** Records that this process wrote. */
  readonly records: number;
  readonly lastError: { readonly code: string; readonly message: string; readonly at: string } | null;
}
