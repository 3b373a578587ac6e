import type { Manifest, Trigger } from '../repository/manifest.js';

/** What a backup is taken for. */
export interface BackupRequest {
  readonly trigger: Trigger;
  /** Up to 200 characters, for people. */
  readonly label?: string | undefined;
  /** Kept whatever its age. */
  readonly pinned?: boolean | undefined;
  /** Takes a full backup whatever the newest one is. */
  readonly full?: boolean | undefined;
  /** Nothing is uploaded when the newest backup holds the same commits. */
  readonly onlyIfChanged?: boolean | undefined;
  /** How long to try to fold the write-ahead log first, ms. */
  readonly checkpointTimeoutMs?: number;
}

/** A backup was taken. */
export interface CreatedBackup {
  readonly created: true;
  readonly manifest: Manifest;
}

/** What became of a request. */
export type BackupOutcome =
  CreatedBackup | { readonly created: false; readonly reason: 'unchanged'; readonly newest: string };

/** The state of backups, for health and the log. */
export interface BackupStatus {
  readonly enabled: boolean;
  /** What the repository holds as far as this process knows; null before it has looked. */
  readonly last: {
    readonly name: string;
    readonly createdAt: string;
    readonly trigger: Trigger;
    readonly stored: number;
  } | null;
  readonly running: boolean;
  readonly failures: number;
  readonly lastError: { readonly code: string; readonly message: string; readonly at: string } | null;
  /** The newest backup of another process, once one was seen: this process refuses writes since then. */
  readonly replacedBy: string | null;
}
