import { Body, Controller, Post, Req, Res } from '@nestjs/common';
import { ApiAcceptedResponse, ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { RequireRole } from '../auth/require-role.js';
import { ApiProblems } from '../http/api-problems.js';
import { auditNote } from '../http/audit-note.js';
import type { Operation } from '../operations/operation.js';
import { operationSchema } from '../operations/operation.schemas.js';
import { OperationsService } from '../operations/operations.service.js';
import { answerOperation } from '../operations/respond-async.js';
import { REPOSITORY_PROBLEMS } from '../repository/repository-problems.js';
import { type BackupBody, backupBodySchema, backupViewSchema, unchangedBackupViewSchema } from './backup.schemas.js';
import { BackupCatalog, type BackupView, type UnchangedBackupView, viewOf } from './backup-catalog.js';
import type { BackupRequest } from './backup-request.js';
import { BackupService } from './backup.service.js';

/** Takes backups. */
@ApiTags('backups')
@RequireRole('operator')
@Controller('admin/backup')
export class BackupController {
  constructor(
    private readonly backups: BackupService,
    private readonly catalog: BackupCatalog,
    private readonly operations: OperationsService,
  ) {}

  @ApiOperation({
    summary: 'Takes a backup',
    description:
      'With `ifChanged` only where something was committed since the newest one. With `Prefer: respond-async` the answer is 202 and an operation to poll.',
  })
  @ApiCreatedResponse({ description: 'The backup that was taken.', standardSchema: backupViewSchema })
  @ApiOkResponse({
    description: 'With `ifChanged`, where nothing has changed: the newest backup, which holds everything.',
    standardSchema: unchangedBackupViewSchema,
  })
  @ApiAcceptedResponse({ standardSchema: operationSchema })
  @ApiProblems(
    'REQUEST_INVALID',
    'REQUEST_TOO_LARGE',
    'BACKUP_DISABLED',
    'BACKUP_FAILED',
    'BACKUP_IMAGE_CHANGED',
    'RESTORE_CONFLICT',
    'ENCRYPTION_KEY_MISSING',
    'MANIFEST_CORRUPT',
    'DATABASE_CLOSED',
    'STORE_NO_SPACE',
    ...REPOSITORY_PROBLEMS,
  )
  @Post()
  async create(
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
    @Body({ schema: backupBodySchema }) { ifChanged, ...body }: BackupBody,
  ): Promise<BackupView | UnchangedBackupView | Operation> {
    const started = this.operations.start('backup', async (progress, signal) => {
      const asked: BackupRequest = { trigger: 'manual', onlyIfChanged: ifChanged, ...body };
      const outcome = await this.backups.create(asked, progress, signal);
      auditNote(request, { backup: outcome.created ? outcome.manifest.name : outcome.newest });
      return outcome.created ? viewOf(outcome.manifest) : this.catalog.unchanged(outcome.newest);
    });
    const answer = await answerOperation(request, response, started);
    if ('unchanged' in answer) response.status(200);
    return answer;
  }
}
