import { z } from 'zod';
import { EiderError, messageOf } from '../errors/eider-error.js';

/** How thoroughly a backup is checked: its objects are there, every byte is read, or it is restored on trial. */
export const VERIFY_MODES = ['quick', 'full', 'restore'] as const;
export type VerifyMode = (typeof VERIFY_MODES)[number];

export const verdictSchema = z.strictObject({
  at: z.iso.datetime(),
  mode: z.enum(VERIFY_MODES),
  ok: z.boolean(),
  /** What was wrong; null where nothing was. */
  why: z.string().nullable(),
});

/** What the last check of a backup showed. */
export type Verdict = z.infer<typeof verdictSchema>;

const noteSchema = z.strictObject({
  label: z.string().max(200).nullable(),
  pinned: z.boolean(),
  verified: verdictSchema.nullable(),
});

/** What became known of a backup after it was taken: label and pin as they are now, and its last check. */
export type Note = z.infer<typeof noteSchema>;

export function encodeNote(note: Note): Buffer {
  return Buffer.from(`${JSON.stringify(noteSchema.parse(note))}\n`);
}

/** Throws MANIFEST_CORRUPT: a note that cannot be read might be a pin, so nothing may be decided without it. */
export function decodeNote(name: string, body: Buffer): Note {
  try {
    return noteSchema.parse(JSON.parse(body.toString('utf8')));
  } catch (error) {
    throw new EiderError('MANIFEST_CORRUPT', `The note of ${name} cannot be read: ${messageOf(error)}`, {
      cause: error,
      details: { backup: name },
    });
  }
}

/**
 * The verdict that stands after a check: the newer one, except that hashes which are right neither prove a backup that a
 * restore has found wanting nor make one that a restore has proven less proven.
 */
export function verdictAfter(before: Verdict | null, check: Verdict): Verdict {
  return before?.mode === 'restore' && check.mode !== 'restore' && check.ok ? before : check;
}

/** Whether a restore on trial was the last check of a backup, and went well. */
export function isProven(verdict: Verdict | null): boolean {
  return verdict?.mode === 'restore' && verdict.ok;
}
