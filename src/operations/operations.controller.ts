import { Controller, Get, Param } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { RequireRole } from '../auth/require-role.js';
import { ApiProblems } from '../http/api-problems.js';
import { operationIdSchema, operationSchema } from './operation.schemas.js';
import type { Operation } from './operation.js';
import { OperationsService } from './operations.service.js';

/** Long work, to be polled. */
@ApiTags('operations')
@RequireRole('viewer')
@Controller('admin/operations')
export class OperationsController {
  constructor(private readonly operations: OperationsService) {}

  @ApiOperation({ summary: 'Long work, newest first: what runs and the newest that ended' })
  @ApiOkResponse({ standardSchema: z.object({ operations: z.array(operationSchema) }) })
  @Get()
  list(): { operations: readonly Operation[] } {
    return { operations: this.operations.list() };
  }

  @ApiOperation({ summary: 'One piece of long work' })
  @ApiOkResponse({ standardSchema: operationSchema })
  @ApiProblems('REQUEST_INVALID', 'OPERATION_NOT_FOUND')
  @Get(':id')
  get(@Param('id', { schema: operationIdSchema }) id: string): Operation {
    return this.operations.get(id);
  }
}
