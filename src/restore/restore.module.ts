import { Module } from '@nestjs/common';
import { BackupModule } from '../backup/backup.module.js';
import { ProofScheduler } from './proof-scheduler.js';
import { ProofService } from './proof.service.js';
import { Verification } from './verification.js';
import { LateDecision } from './late-decision.js';
import { OfflineRestore } from './offline-restore.js';
import { OnlineRestore } from './online-restore.service.js';
import { RestoreAtStart } from './restore-at-start.js';
import { RestoreService } from './restore.service.js';

const SERVICES = [
  RestoreService,
  OnlineRestore,
  OfflineRestore,
  RestoreAtStart,
  LateDecision,
  ProofService,
  ProofScheduler,
  Verification,
];

/** Plans and makes restores, and decides at a start. */
@Module({ imports: [BackupModule], providers: SERVICES, exports: [...SERVICES, BackupModule] })
export class RestoreModule {}
