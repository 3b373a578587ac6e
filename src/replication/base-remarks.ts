import type { Position } from '../repository/position.js';

/** What the record of the next base tells of the commits before it. */
export class BaseRemarks {
  #gap: string | null = null;
  #takenBack: Position | null = null;

  /** Why commits before the next base may be in no record; null where all are. */
  get gap(): string | null {
    return this.#gap;
  }

  /** Commits behind this were taken back by DuckDB, and records may hold them. */
  get takenBack(): Position | null {
    return this.#takenBack;
  }

  /** The first reason is the one that is told. */
  noteGap(why: string): void {
    this.#gap ??= why;
  }

  /** The first position is behind no other one. */
  noteTakenBack(position: Position): void {
    this.#takenBack ??= position;
  }

  /** They were told. */
  clear(): void {
    this.#gap = null;
    this.#takenBack = null;
  }
}
