import { z } from 'zod';
import { EiderError, messageOf } from '../errors/eider-error.js';

const reservationSchema = z.looseObject({
  name: z.string(),
  since: z.iso.datetime().optional(),
  /** Of this reservation alone: where an answer is lost, it tells whose reservation is there. */
  id: z.uuid().optional(),
  /** The backup that the one under way builds on: its objects stay meanwhile. */
  base: z.string().optional(),
  /** The backup of this name is being removed, or its pack stays for others. */
  retired: z.boolean().optional(),
  /** Of a retired one: every object that restoring it read. Absent where its manifest could not be read any more. */
  objects: z.array(z.string()).optional(),
});

/** `pending/<name>.json`: what has this name is no backup, or not yet, or no longer. */
export type Reservation = z.infer<typeof reservationSchema>;

export function encodeReservation(reservation: Reservation): Buffer {
  return Buffer.from(`${JSON.stringify(reservation)}\n`);
}

/** Throws MANIFEST_CORRUPT: one that cannot be read might name a backup that must stay, so nothing may be removed. */
export function decodeReservation(name: string, body: Buffer): Reservation {
  try {
    return reservationSchema.parse(JSON.parse(body.toString('utf8')));
  } catch (error) {
    throw new EiderError('MANIFEST_CORRUPT', `The reservation of ${name} cannot be read: ${messageOf(error)}`, {
      cause: error,
      details: { backup: name },
    });
  }
}
