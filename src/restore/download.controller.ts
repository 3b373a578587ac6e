import { Controller, Get, Header, Param, StreamableFile } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import { RequireRole } from '../auth/require-role.js';
import { backupNameSchema } from '../backup/backup.schemas.js';
import { ApiProblems } from '../http/api-problems.js';
import { BackupDownload } from './backup-download.js';

/** Hands out backups as database files. */
@ApiTags('backups')
@RequireRole('admin')
@Controller('admin/backups')
export class DownloadController {
  constructor(private readonly downloads: BackupDownload) {}

  @ApiOperation({ summary: 'The restored and checked database file of a backup' })
  @ApiProduces('application/octet-stream')
  @ApiProblems('BACKUP_NOT_FOUND', 'BACKUP_DAMAGED', 'RESTORE_NO_SPACE', 'RESTORE_CHECK_FAILED')
  @Get(':name/download')
  @Header('Content-Type', 'application/octet-stream')
  async download(@Param('name', { schema: backupNameSchema }) name: string): Promise<StreamableFile> {
    const { stream, bytes, fileName } = await this.downloads.open(name);
    return new StreamableFile(stream, { length: bytes, disposition: `attachment; filename="${fileName}"` });
  }
}
