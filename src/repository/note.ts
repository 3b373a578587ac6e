import { z } from 'zod';
import { EiderError, messageOf } from '../errors/eider-error.js';

const noteSchema = z.strictObject({ label: z.string().max(200).nullable(), pinned: z.boolean() });

/** Label and pin of a backup, where they were set after it was taken. The last writer wins. */
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
    });
  }
}
