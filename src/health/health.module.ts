import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { LifecycleModule } from '../lifecycle/lifecycle.module.js';
import { ReplicationModule } from '../replication/replication.module.js';
import { RestoreModule } from '../restore/restore.module.js';
import { DatabaseHealth } from './database-health.js';
import { HealthController } from './health.controller.js';
import { ProcessHealth } from './process-health.js';
import { Readiness } from './readiness.js';
import { RepositoryHealth } from './repository-health.js';
import { StoreProbe } from './store-probe.js';

/** Health of the database, of backups and of the process. Needs AuthModule and HttpModule. */
@Module({
  imports: [TerminusModule.forRoot({ logger: false }), RestoreModule, ReplicationModule, LifecycleModule],
  controllers: [HealthController],
  providers: [DatabaseHealth, RepositoryHealth, ProcessHealth, Readiness, StoreProbe],
})
export class HealthModule {}
