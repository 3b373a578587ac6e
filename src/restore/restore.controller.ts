import { Body, Controller, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import { ApiAcceptedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { RequireRole } from '../auth/require-role.js';
import { backupConfig, type BackupConfig } from '../config/backup.config.js';
import { EiderError } from '../errors/eider-error.js';
import { ApiProblems } from '../http/api-problems.js';
import { whenClosed } from '../http/when-closed.js';
import { auditNote } from '../http/audit-note.js';
import type { Operation } from '../operations/operation.js';
import { operationSchema } from '../operations/operation.schemas.js';
import { OperationsService } from '../operations/operations.service.js';
import { answerOperation } from '../operations/respond-async.js';
import { REPOSITORY_PROBLEMS } from '../repository/repository-problems.js';
import { OnlineRestore } from './online-restore.service.js';
import type { RestorePlan } from './restore-plan.js';
import { type RestoreBody, restoreBodySchema, restorePlanSchema, restoreReportSchema } from './restore.schemas.js';
import { nameOf, type RestoreReport } from './restore-report.js';
import { RestoreService } from './restore.service.js';

/** Replaces the database by a backup while the service runs. */
@ApiTags('restore')
@RequireRole('admin')
@Controller('admin/restore')
export class RestoreController {
  constructor(
    @Inject(backupConfig.KEY) private readonly config: BackupConfig,
    private readonly restores: RestoreService,
    private readonly online: OnlineRestore,
    private readonly operations: OperationsService,
  ) {}

  @ApiOperation({
    summary: 'Restores a backup, or tells with `dryRun` what that would do',
    description:
      'Reads go on until the files are exchanged; writes pause from the pre-restore backup on. With `Prefer: respond-async` the answer is 202 and an operation to poll.',
  })
  @ApiOkResponse({ standardSchema: z.union([restoreReportSchema, restorePlanSchema]) })
  @ApiAcceptedResponse({ standardSchema: operationSchema })
  @ApiProblems(
    'REQUEST_INVALID',
    'REQUEST_TOO_LARGE',
    'RESTORE_NOT_CONFIRMED',
    'RESTORE_IN_PROGRESS',
    'BACKUP_NOT_FOUND',
    'RESTORE_POINT_UNREACHABLE',
    'LOG_RECORD_CORRUPT',
    'LOG_RECORD_MISSING',
    'MANIFEST_CORRUPT',
    'ENCRYPTION_KEY_MISSING',
    'EXTENT_CORRUPT',
    'BACKUP_DAMAGED',
    'RESTORE_NO_SPACE',
    'RESTORE_CHECK_FAILED',
    'RESTORE_FAILED',
    'RESTORE_ROLLBACK_FAILED',
    'DATABASE_CLOSED',
    ...REPOSITORY_PROBLEMS,
  )
  @Post()
  @HttpCode(200)
  async restore(
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
    @Body({ schema: restoreBodySchema }) body: RestoreBody,
  ): Promise<RestoreReport | RestorePlan | Operation> {
    if (body.dryRun !== true) this.#requireConfirmation(body);
    const found = await this.restores.find(selectionOf(body));
    auditNote(request, { backup: nameOf(found) });
    if (body.dryRun === true) return this.restores.plan(found, undefined, whenClosed(response));
    // Told at once, also to a client that would only look at the operation later.
    this.restores.refuseWhileBusy();
    const started = this.operations.start('restore', (progress, signal) =>
      this.online.restore(found, { progress, signal, force: body.force ?? false }),
    );
    return answerOperation(request, response, started);
  }

  #requireConfirmation({ confirm }: RestoreBody): void {
    const { stem } = this.config;
    if (confirm === stem || confirm === `${stem}.duckdb`) return;
    throw new EiderError(
      'RESTORE_NOT_CONFIRMED',
      `This replaces the database: send "confirm": ${JSON.stringify(stem)} to go on.`,
      { details: { confirm: stem } },
    );
  }
}

function selectionOf({ backup, at, position }: RestoreBody): Parameters<RestoreService['find']>[0] {
  if (backup !== undefined) return { backup };
  if (at !== undefined) return { at: new Date(at) };
  return position === undefined ? { latest: true } : { position };
}
