import { z } from 'zod';

/** Where a page of events ends: events are listed by their start, then by id. */
export interface EventCursor {
  /** Start of the last event, microseconds since 1970: DuckDB keeps more digits than a Date. */
  readonly startsAtUs: bigint;
  readonly id: number;
}

/** Opaque to clients. */
export function encodeCursor({ startsAtUs, id }: EventCursor): string {
  return Buffer.from(`${startsAtUs}.${id}`, 'latin1').toString('base64url');
}

/** Takes what `encodeCursor` made. */
export const cursorSchema = z
  .string()
  .max(100)
  .transform((text, context): EventCursor => {
    const match = /^(-?\d{1,18})\.(\d{1,9})$/.exec(Buffer.from(text, 'base64url').toString('latin1'));
    if (match?.[1] !== undefined && match[2] !== undefined)
      return { startsAtUs: BigInt(match[1]), id: Number(match[2]) };
    context.addIssue({ code: 'custom', message: 'is not the `next` of a page' });
    return z.NEVER;
  })
  .describe('`next` of the page before.');
