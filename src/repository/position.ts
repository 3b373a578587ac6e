import { z } from 'zod';

/**
 * A point in the history of one database.
 *
 * `iteration` is DuckDB's checkpoint counter, `offset` the byte in the write-ahead log just after a commit marker, 0 when
 * nothing was committed since the checkpoint.
 */
export const positionSchema = z.strictObject({
  lineage: z.uuid(),
  iteration: z.int().nonnegative(),
  offset: z.int().nonnegative(),
});
export type Position = z.infer<typeof positionSchema>;
