import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { RequireRole } from '../auth/require-role.js';
import { ApiProblems } from '../http/api-problems.js';
import { positionSchema } from '../repository/position.js';
import { REPOSITORY_PROBLEMS } from '../repository/repository-problems.js';
import type { Timeline } from './timeline.js';
import { TimelineService } from './timeline.service.js';

const time = z.iso.datetime();

const timelineSchema = z.object({
  resolutionMs: z.number().int().describe('Commits closer together than this may have the same time.'),
  lineages: z
    .array(
      z.object({
        lineage: z.uuid(),
        parent: positionSchema.nullable().describe('Where it left the one before; null for the first.'),
        ranges: z.array(
          z.object({
            from: time,
            to: time,
            base: z.string().describe('The backup that it rests on.'),
            iteration: z.number().int(),
            everyCommit: z.boolean().describe('Whether every commit in it can be restored; else the backup alone.'),
          }),
        ),
        gaps: z.array(z.object({ from: time, to: time, reason: z.string() })),
        backups: z.array(z.string()),
      }),
    )
    .describe('The oldest first.'),
});

/** Tells what can be restored. */
@ApiTags('restore')
@RequireRole('viewer')
@Controller('admin/timeline')
export class TimelineController {
  constructor(private readonly timeline: TimelineService) {}

  @ApiOperation({ summary: 'Ranges of time that can be restored, backups, and gaps with their reasons' })
  @ApiOkResponse({ standardSchema: timelineSchema })
  @ApiProblems(...REPOSITORY_PROBLEMS)
  @Get()
  read(): Promise<Timeline> {
    return this.timeline.read();
  }
}
