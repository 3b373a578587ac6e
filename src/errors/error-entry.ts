/** One entry of the catalogue: docs/errors.md is compared with it in the tests. */
export interface ErrorEntry {
  /** HTTP status of the answer. */
  readonly status: number;
  /** What the code means, in one short line: the `title` of the problem document. */
  readonly title: string;
  /** What is safe and what to do. */
  readonly advice: string;
}

/** An entry, written in three lines. */
export const entry = (status: number, title: string, advice: string): ErrorEntry => ({ status, title, advice });
