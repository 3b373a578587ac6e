import { Module } from '@nestjs/common';
import { ReplicationModule } from '../replication/replication.module.js';
import { RestoreModule } from '../restore/restore.module.js';
import { ShutdownService } from './shutdown.service.js';
import { StartupService } from './startup.service.js';

/** What happens before the service serves, and after. Needs HttpModule and OperationsModule. */
@Module({
  imports: [RestoreModule, ReplicationModule],
  providers: [StartupService, ShutdownService],
  exports: [StartupService, ShutdownService],
})
export class LifecycleModule {}
