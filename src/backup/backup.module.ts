import { Module } from '@nestjs/common';
import { DatabaseModule } from '../database/database.module.js';
import { LineageModule } from '../lineage/lineage.module.js';
import { RepositoryModule } from '../repository/repository.module.js';
import { BackupCatalog } from './backup-catalog.js';
import { BackupScheduler } from './backup-scheduler.js';
import { BackupService } from './backup.service.js';
import { Verdicts } from './verdicts.js';
import { RetentionService } from './retention.service.js';
import { VerifyService } from './verify.service.js';

/** Creates, lists, verifies and removes backups. Its routes are in BackupHttpModule, which the command line does without. */
@Module({
  imports: [DatabaseModule, RepositoryModule, LineageModule],
  providers: [BackupService, BackupScheduler, BackupCatalog, RetentionService, VerifyService, Verdicts],
  exports: [
    BackupService,
    BackupScheduler,
    BackupCatalog,
    RetentionService,
    VerifyService,
    Verdicts,
    DatabaseModule,
    RepositoryModule,
    LineageModule,
  ],
})
export class BackupModule {}
