import { z } from 'zod';
import { TRIGGERS } from '../repository/manifest.js';

const label = z.string().trim().min(1).max(200).describe('For people; up to 200 characters. A labelled backup stays.');
const pinned = z.boolean().describe('A pinned backup is never removed.');

/** Body of POST /admin/backup. */
export const backupBodySchema = z.strictObject({
  label: label.optional(),
  pinned: pinned.optional(),
  full: z.boolean().optional().describe('Takes a full backup whatever the newest one is.'),
});
export type BackupBody = z.infer<typeof backupBodySchema>;

/** Body of PATCH /admin/backups/:name. */
export const noteBodySchema = z
  .strictObject({ label: label.nullable().optional(), pinned: pinned.optional() })
  .refine((body) => body.label !== undefined || body.pinned !== undefined, 'give `label`, `pinned` or both');
export type NoteBody = z.infer<typeof noteBodySchema>;

/** Query of GET /admin/backups. */
export const listQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(500).optional().describe('At most this many; 50 where absent.'),
  cursor: z.string().max(200).optional().describe('`next` of the page before.'),
  trigger: z.enum(TRIGGERS).optional(),
  since: z.coerce.date().optional(),
  until: z.coerce.date().optional(),
});
export type ListQuery = z.infer<typeof listQuerySchema>;

export const backupNameSchema = z.string().min(1).max(200).describe('Name of a backup, or of its pack in the bucket.');
