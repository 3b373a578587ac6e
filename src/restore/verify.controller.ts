import { Controller, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiAcceptedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { RequireRole } from '../auth/require-role.js';
import { backupNameSchema, type VerifyQuery, verifyQuerySchema, verifyReportSchema } from '../backup/backup.schemas.js';
import type { VerifyReport } from '../backup/verify.service.js';
import { ApiProblems } from '../http/api-problems.js';
import type { Operation } from '../operations/operation.js';
import { operationSchema } from '../operations/operation.schemas.js';
import { OperationsService } from '../operations/operations.service.js';
import { answerOperation } from '../operations/respond-async.js';
import { REPOSITORY_PROBLEMS } from '../repository/repository-problems.js';
import { Verification } from './verification.js';

/** Checks backups. */
@ApiTags('backups')
@ApiProblems(...REPOSITORY_PROBLEMS)
@Controller('admin/backups')
export class VerifyController {
  constructor(
    private readonly verification: Verification,
    private readonly operations: OperationsService,
  ) {}

  @ApiOperation({
    summary: 'Checks a backup: its objects, every byte, or by restoring it on trial',
    description: 'With `Prefer: respond-async` the answer is 202 and an operation to poll.',
  })
  @ApiOkResponse({ standardSchema: verifyReportSchema })
  @ApiAcceptedResponse({ standardSchema: operationSchema })
  @ApiProblems(
    'REQUEST_INVALID',
    'BACKUP_NOT_FOUND',
    'MANIFEST_CORRUPT',
    'ENCRYPTION_KEY_MISSING',
    'EXTENT_CORRUPT',
    'BACKUP_DAMAGED',
    'RESTORE_NO_SPACE',
  )
  @RequireRole('operator')
  @Post(':name/verify')
  @HttpCode(200)
  verify(
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
    @Param('name', { schema: backupNameSchema }) name: string,
    @Query({ schema: verifyQuerySchema }) { mode }: VerifyQuery,
  ): Promise<VerifyReport | Operation> {
    const started = this.operations.start('verify', (progress, signal) =>
      this.verification.verify(name, mode, progress, signal),
    );
    return answerOperation(request, response, started);
  }
}
