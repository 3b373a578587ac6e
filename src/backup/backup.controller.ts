import { Body, Controller, Post, Req, Res } from '@nestjs/common';
import { ApiAcceptedResponse, ApiCreatedResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { RequireRole } from '../auth/require-role.js';
import { ApiProblems } from '../http/api-problems.js';
import { auditNote } from '../http/audit-note.js';
import type { Operation } from '../operations/operation.js';
import { operationSchema } from '../operations/operation.schemas.js';
import { OperationsService } from '../operations/operations.service.js';
import { answerOperation } from '../operations/respond-async.js';
import { REPOSITORY_PROBLEMS } from '../repository/repository-problems.js';
import { type BackupBody, backupBodySchema, backupViewSchema } from './backup.schemas.js';
import { type BackupView, viewOf } from './backup-catalog.js';
import { BackupService } from './backup.service.js';

/** Takes backups. */
@ApiTags('backups')
@RequireRole('operator')
@Controller('admin/backup')
export class BackupController {
  constructor(
    private readonly backups: BackupService,
    private readonly operations: OperationsService,
  ) {}

  @ApiOperation({
    summary: 'Takes a backup',
    description: 'With `Prefer: respond-async` the answer is 202 and an operation to poll.',
  })
  @ApiCreatedResponse({ standardSchema: backupViewSchema })
  @ApiAcceptedResponse({ standardSchema: operationSchema })
  @ApiProblems(
    'REQUEST_INVALID',
    'REQUEST_TOO_LARGE',
    'BACKUP_DISABLED',
    'BACKUP_FAILED',
    'BACKUP_IMAGE_CHANGED',
    'RESTORE_CONFLICT',
    'ENCRYPTION_KEY_MISSING',
    'DATABASE_CLOSED',
    'STORE_NO_SPACE',
    ...REPOSITORY_PROBLEMS,
  )
  @Post()
  create(
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
    @Body({ schema: backupBodySchema }) body: BackupBody,
  ): Promise<BackupView | Operation> {
    const started = this.operations.start('backup', async (progress, signal) => {
      const { manifest } = await this.backups.create({ trigger: 'manual', ...body }, progress, signal);
      auditNote(request, { backup: manifest.name });
      return viewOf(manifest);
    });
    return answerOperation(request, response, started);
  }
}
