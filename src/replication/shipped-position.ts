import { comparePositions, type FilePosition } from '../duckdb-format/file-position.js';
import { abortable } from '../runtime/abortable.js';

interface Waiter {
  readonly position: FilePosition;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** How far the history of the open database is in the store, for whoever waits for a commit to be there. */
export class ShippedPosition {
  #position: FilePosition | undefined;
  #failure: Error | undefined;
  #waiters: Waiter[] = [];

  /** Undefined while nothing of this database is known to be in the store. */
  get current(): FilePosition | undefined {
    return this.#position;
  }

  /** Whether somebody waits for a commit that is not in the store. */
  get isAwaited(): boolean {
    return this.#waiters.length > 0;
  }

  /** Everything up to there can be restored from the store now. */
  advance(position: FilePosition): void {
    if (this.#position !== undefined && comparePositions(position, this.#position) < 0) return;
    this.#position = position;
    const left: Waiter[] = [];
    for (const waiter of this.#waiters) {
      if (comparePositions(waiter.position, position) <= 0) waiter.resolve();
      else left.push(waiter);
    }
    this.#waiters = left;
  }

  /** Nothing will be shipped any more: everybody who waits, or comes to wait, is told why. */
  fail(error: Error): void {
    this.#failure = error;
    for (const { reject } of this.#waiters) reject(error);
    this.#waiters = [];
  }

  /** Another database is open now, or the same one again. */
  reset(): void {
    this.#position = undefined;
    this.#failure = undefined;
  }

  /** Resolves when a position is in the store. Rejects with the reason of `fail`, or of the signal. */
  async reached(position: FilePosition, signal?: AbortSignal): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#position !== undefined && comparePositions(position, this.#position) <= 0) return;
    let waiter: Waiter | undefined;
    const arrival = new Promise<void>((resolve, reject) => {
      waiter = { position, resolve, reject };
      this.#waiters.push(waiter);
    });
    try {
      await abortable(arrival, signal);
    } finally {
      this.#waiters = this.#waiters.filter((each) => each !== waiter);
    }
  }
}
