import { z } from 'zod';
import { positionSchema } from '../repository/position.js';

/** Body of POST /admin/restore. */
export const restoreBodySchema = z
  .strictObject({
    backup: z.string().min(1).max(200).optional().describe('Name of the backup.'),
    latest: z.literal(true).optional().describe('The newest commit in the store.'),
    at: z.iso
      .datetime({ offset: true })
      .optional()
      .describe('The last commit that was there at this time, such as 2026-11-23T12:34:56.5Z.'),
    position: positionSchema.optional().describe('The last commit up to this position.'),
    dryRun: z.boolean().optional().describe('Answers with the plan and changes nothing.'),
    force: z.boolean().optional().describe('Leaves out the backup of what is replaced.'),
    confirm: z.string().optional().describe('Must repeat the name of the database; not needed for a dry run.'),
  })
  .refine(
    ({ backup, latest, at, position }) =>
      [backup, latest, at, position].filter((given) => given !== undefined).length === 1,
    'give one of `backup`, `latest`, `at` and `position`',
  );
export type RestoreBody = z.infer<typeof restoreBodySchema>;

const count = z.number().int();

/** What a restore did. */
export const restoreReportSchema = z.object({
  backup: z.string(),
  database: z.string().describe('Path of the database file.'),
  bytes: count,
  fetchedBytes: count.describe('Bytes that were read from the store.'),
  blocks: count
    .nullable()
    .describe('Blocks of the file, its headers counted as one; null for a file without a manifest.'),
  localBlocks: count.describe('Blocks that were on the disk already, and were not fetched.'),
  durationMs: count,
  restorePoint: z.string().nullable().describe('The database that was replaced; null where there was none.'),
});

/** What a restore would do: the answer to `dryRun`. */
export const restorePlanSchema = z.object({
  backup: z.string(),
  source: z.enum(['eider', 'foreign']),
  createdAt: z.iso.datetime(),
  position: positionSchema.nullable(),
  continuesLineage: z.boolean(),
  objects: count,
  bytesToFetch: count.describe('Bytes to read from the store.'),
  databaseBytes: count.nullable(),
  blocks: count
    .nullable()
    .describe('Blocks of the file, its headers counted as one; null for a file without a manifest.'),
  localBlocks: count.describe('Blocks that are on the disk already: they are not fetched.'),
  localBytes: count.describe('Bytes of the file that they make up.'),
  bytesNeeded: count,
  bytesFree: count,
  estimatedSeconds: count,
  point: z
    .object({
      position: positionSchema,
      committedAt: z.iso.datetime().nullable(),
      nextCommitAt: z.iso.datetime().nullable(),
      records: count,
      commits: count,
    })
    .nullable()
    .describe('The commit that is reached; null where a backup was named.'),
});
