import type { Position } from '../repository/position.js';

/** What the record of a base tells of the commits before it. */
export interface Remarks {
  /** Why commits may be in no record; null where all are. */
  readonly gap: string | null;
  /** Commits behind this were taken back by DuckDB, and records may hold them. */
  readonly takenBack: Position | null;
}

/** What the record of the next base is to tell. */
export class BaseRemarks {
  #gap: string | null = null;
  #takenBack: Position | null = null;

  /** The first reason is the one that is told. */
  noteGap(why: string): void {
    this.#gap ??= why;
  }

  /** The first position is behind no other one. */
  noteTakenBack(position: Position): void {
    this.#takenBack ??= position;
  }

  /** Hands over what is to be told now: what is noted meanwhile is for the base after that. */
  take(): Remarks {
    const told = { gap: this.#gap, takenBack: this.#takenBack };
    this.#gap = null;
    this.#takenBack = null;
    return told;
  }

  /** They could not be told. */
  putBack({ gap, takenBack }: Remarks): void {
    this.#gap = gap ?? this.#gap;
    this.#takenBack = takenBack ?? this.#takenBack;
  }
}
