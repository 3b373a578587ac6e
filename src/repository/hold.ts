import { hostname } from 'node:os';
import { z } from 'zod';
import { EiderError, messageOf } from '../errors/eider-error.js';

/** A hold counts until so long after it was written last, ms: a process that died does not keep a backup for ever. */
export const HOLD_MS = 24 * 3_600_000;

const holdSchema = z.looseObject({
  /** The backup that is read. */
  backup: z.string().min(1),
  host: z.string(),
  pid: z.int().positive(),
  purpose: z.enum(['restore', 'download', 'verify', 'proof']),
  since: z.iso.datetime(),
});

/** `holds/<uuid>.json`: somebody reads a backup, anywhere. Retention keeps what it reads. */
export type Hold = z.infer<typeof holdSchema>;
export type HoldPurpose = Hold['purpose'];

/** A hold of this process. */
export function newHold(backup: string, purpose: HoldPurpose, now: Date): Hold {
  return { backup, host: hostname(), pid: process.pid, purpose, since: now.toISOString() };
}

export function encodeHold(hold: Hold): Buffer {
  return Buffer.from(`${JSON.stringify(hold)}\n`);
}

/** Throws MANIFEST_CORRUPT: one that cannot be read might be of any backup, so nothing may be removed. */
export function decodeHold(key: string, body: Buffer): Hold {
  try {
    return holdSchema.parse(JSON.parse(body.toString('utf8')));
  } catch (error) {
    throw new EiderError(
      'MANIFEST_CORRUPT',
      `${key} cannot be read, so nobody knows which backup it holds; it ends a day after it was written: ${messageOf(error)}`,
      { cause: error },
    );
  }
}
