import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { replaceFile } from '../runtime/replace-file.js';

const proofSchema = z.strictObject({
  format: z.literal(1),
  backup: z.string(),
  at: z.iso.datetime(),
  ok: z.boolean(),
  /** What was wrong; null where nothing was. */
  why: z.string().nullable(),
  durationMs: z.int().nonnegative(),
});

/** What restoring a backup on trial came to. */
export type Proof = z.infer<typeof proofSchema>;

/** The last one is kept beside the database, so that a restart neither forgets nor repeats it. */
export const proofFileOf = (database: string): string => `${database}.eider-proof.json`;

/** Undefined where there is none, or it cannot be read: then the next one is due. */
export async function readProof(database: string): Promise<Proof | undefined> {
  try {
    return proofSchema.parse(JSON.parse(await readFile(proofFileOf(database), 'utf8')));
  } catch {
    return undefined;
  }
}

export async function writeProof(database: string, proof: Proof): Promise<void> {
  await replaceFile(proofFileOf(database), `${JSON.stringify(proof, null, 2)}\n`);
}
