import { compareBackupNames, parseBackupName } from '../repository/backup-name.js';
import type { LineageState } from './state-file.js';

/** What identifies a backup and who wrote it. */
export interface WrittenBackup {
  readonly name: string;
  readonly writer: string;
  /** The last record of the log when it was begun. */
  readonly log: number;
}

/** Whether a backup is known by its name alone: the one known last, or one that was about to be written. */
export function isOwnBackup(state: Pick<LineageState, 'head' | 'committing'>, name: string): boolean {
  return name === state.head || name === state.committing;
}

/**
 * Whether the newest backup holds nothing that the local history does not know of.
 *
 * If not, another process wrote to the repository: the local database is behind it, or both have diverged.
 *
 * @param names - all backups in the repository
 */
export function knowsNewest(state: LineageState, newest: WrittenBackup, names: readonly string[]): boolean {
  // A crash between the commit of a backup and the state file leaves a backup of ours that is not the head.
  if (isOwnBackup(state, newest.name) || newest.writer === state.writer) return true;
  // A process that was stopped past the end of its turn can complete a backup after its successor has begun.
  if (state.turn !== undefined && newest.log > 0 && newest.log < state.turn) return true;
  if (state.head === null || names.includes(state.head)) return false;
  // The one known last is gone. Where it was newer than all that are left, what came after it was removed with it.
  const head = parseBackupName(state.head);
  const left = parseBackupName(newest.name);
  return head !== undefined && left !== undefined && compareBackupNames(head, left) > 0;
}
