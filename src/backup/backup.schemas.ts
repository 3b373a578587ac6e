import { z } from 'zod';
import { manifestSchema, TRIGGERS } from '../repository/manifest.js';
import { VERIFY_MODES, verdictSchema } from '../repository/note.js';

const label = z.string().trim().min(1).max(200).describe('For people; up to 200 characters. A labelled backup stays.');
const pinned = z.boolean().describe('A pinned backup is never removed.');

/** Body of POST /admin/backup. */
export const backupBodySchema = z
  .strictObject({
    label: label.optional(),
    pinned: pinned.optional(),
    full: z.boolean().optional().describe('Takes a full backup whatever the newest one is.'),
    ifChanged: z
      .boolean()
      .optional()
      .describe(
        'Takes no backup where the newest one holds the same commits: the answer is that one, with status 200 and `unchanged`. Not with `label`, `pinned` or `full`.',
      ),
  })
  .refine(
    (body) => body.ifChanged !== true || (body.label === undefined && body.pinned !== true && body.full !== true),
    {
      path: ['ifChanged'],
      error:
        'goes with no `label`, `pinned` or `full`: where nothing has changed, no backup is taken that could have them',
    },
  );
export type BackupBody = z.infer<typeof backupBodySchema>;

/** Body of PATCH /admin/backups/:name. */
export const noteBodySchema = z
  .strictObject({ label: label.nullable().optional(), pinned: pinned.optional() })
  .refine((body) => body.label !== undefined || body.pinned !== undefined, 'give `label`, `pinned` or both');
export type NoteBody = z.infer<typeof noteBodySchema>;

/** Not whatever `new Date` takes: that reads `5` as a day in May, and times without a zone as the machine's own. */
const time = z
  .union([z.iso.datetime({ offset: true }), z.iso.date()], 'must be a time such as 2026-01-31T12:00:00Z, or a date')
  .transform((text) => new Date(text));

/** Query of GET /admin/backups. */
export const listQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(500).optional().describe('At most this many; 50 where absent.'),
  cursor: z.string().max(200).optional().describe('`next` of the page before.'),
  trigger: z.enum(TRIGGERS).optional(),
  since: time
    .optional()
    .describe('Only backups of this time or later, by the time in their names; a date begins at 00:00 UTC.'),
  until: time.optional().describe('Only backups of this time or earlier.'),
});
export type ListQuery = z.infer<typeof listQuerySchema>;

export const backupNameSchema = z.string().min(1).max(200).describe('Name of a backup, or of its pack in the bucket.');

/** A backup of Eider's own: its manifest, with label and pin as they are now. */
export const backupViewSchema = manifestSchema.extend({
  source: z.literal('eider'),
  verified: verdictSchema
    .nullable()
    .describe('What its last check showed (`quick` where that failed, `full`, `restore`); null before the first.'),
});

/** Answer of POST /admin/backup where none was taken. */
export const unchangedBackupViewSchema = backupViewSchema.extend({
  unchanged: z.literal(true).describe('No backup was taken; absent where one was.'),
});

const foreignViewSchema = z.object({
  source: z.literal('foreign').describe('A database file without a manifest, put there by hand or by another tool.'),
  name: z.string(),
  encoding: z.enum(['plain', 'gzip', 'zstd']),
  createdAt: z.iso.datetime(),
  bytes: z.object({ stored: z.number().int() }),
});

const damagedViewSchema = z.object({
  source: z.literal('damaged').describe('A backup whose manifest cannot be read.'),
  name: z.string(),
  createdAt: z.iso.datetime(),
  code: z.string(),
  message: z.string(),
});

/** Answer of GET /admin/backups/:name. */
export const anyBackupViewSchema = z.union([backupViewSchema, foreignViewSchema]);

/** Answer of GET /admin/backups. */
export const backupPageSchema = z.object({
  backups: z.array(z.union([backupViewSchema, foreignViewSchema, damagedViewSchema])),
  next: z.string().nullable().describe('`cursor` of the next page; null on the last one.'),
});

/** Query of POST /admin/backups/:name/verify. */
export const verifyQuerySchema = z.strictObject({
  mode: z
    .enum(VERIFY_MODES)
    .default('full')
    .describe(
      '`quick`: every object is there with its length; `full`: every byte is read and hashed; `restore`: it is restored beside the database, opened, and every value read.',
    ),
});
export type VerifyQuery = z.infer<typeof verifyQuerySchema>;

/** Answer of POST /admin/backups/:name/verify. */
export const verifyReportSchema = z.object({
  backup: z.string(),
  mode: z.enum(VERIFY_MODES),
  ok: z.boolean(),
  bytes: z.number().int().describe('Bytes of the database and its log that were checked.'),
  damages: z.array(
    z.object({
      key: z.string(),
      why: z.string(),
      block: z.number().int().optional().describe('Block of the database file; -1 for its headers.'),
    }),
  ),
});
