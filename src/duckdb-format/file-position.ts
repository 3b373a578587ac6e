/** What a database file and its log tell of their place in their history. */
export interface FilePosition {
  /** DuckDB's checkpoint counter. */
  readonly iteration: number;
  /** Byte in the log just after a commit marker; 0 when nothing was committed since the checkpoint. */
  readonly offset: number;
}

/** Negative when `a` is earlier in the same history, 0 when they are equal. */
export function comparePositions(a: FilePosition, b: FilePosition): number {
  return a.iteration - b.iteration || a.offset - b.offset;
}
