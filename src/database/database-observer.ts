import type { FilePosition } from '../duckdb-format/file-position.js';
import type { FoldObserver } from './checkpoint-control.js';

/** What wants to know of the life of the open database. */
export interface DatabaseObserver extends FoldObserver {
  /** Whether commits are shipped at all. */
  readonly ships: boolean;
  /** It was opened. */
  opened(): void;
  /** Resolves when everything up to a position is in the store. Throws COMMIT_NOT_DURABLE, REPLICATION_FENCED. */
  reached(position: FilePosition, signal?: AbortSignal): Promise<void>;
  /** It is about to be closed: when this resolves nothing is read from its files any more. */
  closing(): Promise<void>;
}
