import { Controller, Get, Header, Param, Req, Res, StreamableFile } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Readable } from 'node:stream';
import { RequireRole } from '../auth/require-role.js';
import { backupNameSchema } from '../backup/backup.schemas.js';
import { ApiProblems } from '../http/api-problems.js';
import { whenClosed } from '../http/when-closed.js';
import { REPOSITORY_PROBLEMS } from '../repository/repository-problems.js';
import { BackupDownload } from './backup-download.js';

/** Hands out backups as database files. */
@ApiTags('backups')
@RequireRole('admin')
@Controller('admin/backups')
export class DownloadController {
  constructor(private readonly downloads: BackupDownload) {}

  @ApiOperation({ summary: 'The restored and checked database file of a backup' })
  @ApiOkResponse({
    description: 'The file.',
    content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
  })
  @ApiProblems(
    'REQUEST_INVALID',
    'BACKUP_NOT_FOUND',
    'MANIFEST_CORRUPT',
    'ENCRYPTION_KEY_MISSING',
    'EXTENT_CORRUPT',
    'BACKUP_DAMAGED',
    'RESTORE_NO_SPACE',
    'RESTORE_CHECK_FAILED',
    ...REPOSITORY_PROBLEMS,
  )
  @Get(':name/download')
  @Header('Content-Type', 'application/octet-stream')
  async download(
    @Req() request: Request,
    @Param('name', { schema: backupNameSchema }) name: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<StreamableFile> {
    if (request.method === 'HEAD') {
      // Only a restore tells the length of the file, so it is left out.
      return new StreamableFile(Readable.from([]), { disposition: dispositionOf(await this.downloads.fileName(name)) });
    }
    const { stream, bytes, fileName } = await this.downloads.open(name, whenClosed(response));
    return new StreamableFile(stream, { length: bytes, disposition: dispositionOf(fileName) });
  }
}

function dispositionOf(fileName: string): string {
  return `attachment; filename="${fileName}"`;
}
