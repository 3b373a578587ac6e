import { REQUESTS_AT_ONCE } from '../object-store/object-store.js';

/** Requests before the first answer has told how large records are. */
const FIRST = 8;
/** Bytes of records that are read ahead. */
const MEMORY = 64 * 1024 * 1024;
/** How much of what a large record told is left after each smaller one. */
const FADING = 0.9;

/**
 * How many records of the log are read ahead: as many as there may be requests where they are small, as few as fit into
 * 64 MiB where they are large (up to 8 MiB each). At 50 ms each, 1,800 small ones take 3 s.
 */
export class ReadAhead {
  #allowed = FIRST;
  #largest = 0;

  /** Notes the bytes of a record that was read. */
  saw(bytes: number): void {
    this.#allowed = Math.min(REQUESTS_AT_ONCE, this.#allowed + 1);
    this.#largest = Math.max(bytes, this.#largest * FADING);
  }

  /** Records at once, at the moment. */
  readonly width = (): number => Math.max(1, Math.min(this.#allowed, Math.floor(MEMORY / Math.max(1, this.#largest))));
}
