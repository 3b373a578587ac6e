import { Module } from '@nestjs/common';
import { BackupDownload } from './backup-download.js';
import { DownloadController } from './download.controller.js';
import { RestoreController } from './restore.controller.js';
import { TimelineController } from './timeline.controller.js';
import { TimelineService } from './timeline.service.js';
import { VerifyController } from './verify.controller.js';
import { RestoreModule } from './restore.module.js';

/** The routes of restores. Needs OperationsModule and AuthModule. */
@Module({
  imports: [RestoreModule],
  controllers: [RestoreController, DownloadController, VerifyController, TimelineController],
  providers: [BackupDownload, TimelineService],
})
export class RestoreHttpModule {}
