import { Module } from '@nestjs/common';
import { BackupModule } from '../backup/backup.module.js';
import { BlockPoolModule } from '../block-pool/block-pool.module.js';
import { ReplicationLoop } from './replication-loop.js';
import { ReplicationService } from './replication.service.js';

/** Ships commits while the service runs. The command line does without: it opens the database only for single commands. */
@Module({
  imports: [BackupModule, BlockPoolModule],
  providers: [ReplicationService, ReplicationLoop],
  exports: [ReplicationService, ReplicationLoop],
})
export class ReplicationModule {}
