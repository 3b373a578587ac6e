import { z } from 'zod';

const part = z
  .looseObject({
    status: z.enum(['up', 'degraded', 'down']),
    findings: z.array(z.string()).optional().describe('For viewers: what is not as it should be.'),
  })
  .describe('Viewers also see the facts.');

/** A health report, in the form of @nestjs/terminus. */
export const healthSchema = z.object({
  status: z.enum(['ok', 'degraded', 'error', 'shutting_down']),
  info: z.record(z.string(), part).optional(),
  error: z.record(z.string(), part).optional(),
  details: z.record(z.string(), part),
});
