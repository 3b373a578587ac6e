import { Module } from '@nestjs/common';
import { BackupController } from './backup.controller.js';
import { BackupModule } from './backup.module.js';
import { BackupsController } from './backups.controller.js';

/** The routes of backups. Needs OperationsModule and AuthModule. */
@Module({ imports: [BackupModule], controllers: [BackupController, BackupsController] })
export class BackupHttpModule {}
