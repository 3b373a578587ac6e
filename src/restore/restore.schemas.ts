import { z } from 'zod';

/** Body of POST /admin/restore. */
export const restoreBodySchema = z
  .strictObject({
    backup: z.string().min(1).max(200).optional().describe('Name of the backup.'),
    latest: z.literal(true).optional().describe('The newest backup.'),
    dryRun: z.boolean().optional().describe('Answers with the plan and changes nothing.'),
    force: z.boolean().optional().describe('Leaves out the backup of what is replaced.'),
    confirm: z.string().optional().describe('Must repeat the name of the database; not needed for a dry run.'),
  })
  .refine((body) => (body.backup === undefined) !== (body.latest === undefined), 'give either `backup` or `latest`');
export type RestoreBody = z.infer<typeof restoreBodySchema>;
