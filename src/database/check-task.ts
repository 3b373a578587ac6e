/** What the checking process is asked. */
export interface CheckTask {
  /** The restored file; its log lies beside it where it has one. Both are working copies. */
  readonly path: string;
  /** Catalog name that the live database has: views may name it. */
  readonly catalog: string;
}

/** What it answers. */
export type CheckReply =
  | {
      readonly ok: true;
      readonly tables: readonly CheckedTable[];
      /** As `SELECT version()` tells it. */
      readonly duckdbVersion: string;
      readonly durationMs: number;
    }
  | { readonly ok: false; readonly message: string };

/** A table whose every value was read. */
export interface CheckedTable {
  readonly schema: string;
  readonly name: string;
  readonly rows: number;
  /** Sum of the hashes of all rows, in decimal; equal contents give equal sums, whatever the order. */
  readonly hash: string;
}
