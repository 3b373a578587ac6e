import { z } from 'zod';

/** Id of an operation; also keeps the path out of logs and answers where it is not one. */
export const operationIdSchema = z.uuid().describe('Id of the operation, from the answer or its Location.');

/** An operation as the API shows it. */
export const operationSchema = z.object({
  id: z.uuid(),
  kind: z.enum(['backup', 'restore', 'verify', 'retention']),
  state: z.enum(['running', 'succeeded', 'failed']),
  step: z.string().nullable().describe('The step under way, a short noun.'),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime().nullable(),
  bytesDone: z.number().int(),
  bytesTotal: z.number().int().nullable(),
  etaSeconds: z.number().int().nullable().describe('Seconds to go at the speed so far.'),
  result: z.unknown().describe('What the work returned, when it succeeded.'),
  error: z.unknown().describe('Problem document of the failure.'),
});
