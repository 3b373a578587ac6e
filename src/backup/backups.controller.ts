import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Query } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { RequireRole } from '../auth/require-role.js';
import { ApiProblems } from '../http/api-problems.js';
import { REPOSITORY_PROBLEMS } from '../repository/repository-problems.js';
import {
  anyBackupViewSchema,
  backupNameSchema,
  backupPageSchema,
  backupViewSchema,
  type ListQuery,
  listQuerySchema,
  type NoteBody,
  noteBodySchema,
} from './backup.schemas.js';
import { BackupCatalog, type BackupView, type CatalogPage, type ForeignBackupView } from './backup-catalog.js';
import { RetentionService } from './retention.service.js';

/** The backups in the repository. */
@ApiTags('backups')
@RequireRole('viewer')
@ApiProblems(...REPOSITORY_PROBLEMS)
@Controller('admin/backups')
export class BackupsController {
  constructor(
    private readonly catalog: BackupCatalog,
    private readonly retention: RetentionService,
  ) {}

  @ApiOperation({ summary: 'The backups, newest first' })
  @ApiOkResponse({ standardSchema: backupPageSchema })
  @ApiProblems('REQUEST_INVALID', 'MANIFEST_CORRUPT')
  @Get()
  list(@Query({ schema: listQuerySchema }) query: ListQuery): Promise<CatalogPage> {
    return this.catalog.page(query);
  }

  @ApiOperation({ summary: 'One backup' })
  @ApiOkResponse({ standardSchema: anyBackupViewSchema })
  @ApiProblems('REQUEST_INVALID', 'BACKUP_NOT_FOUND', 'MANIFEST_CORRUPT')
  @Get(':name')
  show(@Param('name', { schema: backupNameSchema }) name: string): Promise<BackupView | ForeignBackupView> {
    return this.catalog.show(name);
  }

  @ApiOperation({ summary: 'Sets the label and the pin of a backup' })
  @ApiOkResponse({ standardSchema: backupViewSchema })
  @ApiProblems('REQUEST_INVALID', 'REQUEST_TOO_LARGE', 'BACKUP_NOT_FOUND', 'MANIFEST_CORRUPT')
  @RequireRole('operator')
  @Patch(':name')
  annotate(
    @Param('name', { schema: backupNameSchema }) name: string,
    @Body({ schema: noteBodySchema }) body: NoteBody,
  ): Promise<BackupView> {
    return this.catalog.annotate(name, body);
  }

  @ApiOperation({
    summary: 'Removes a backup, unless it is the newest good or the last proven one, pinned, in use, or being read',
    description: 'It leaves the list at once; its room is free a day later.',
  })
  @ApiNoContentResponse()
  @ApiProblems('REQUEST_INVALID', 'BACKUP_NOT_FOUND', 'BACKUP_IN_USE', 'MANIFEST_CORRUPT')
  @RequireRole('admin')
  @Delete(':name')
  @HttpCode(204)
  async remove(@Param('name', { schema: backupNameSchema }) name: string): Promise<void> {
    await this.retention.remove(name);
  }
}
