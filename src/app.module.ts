import { Module } from '@nestjs/common';
import { AuthModule } from './auth/auth.module.js';
import { BackupHttpModule } from './backup/backup-http.module.js';
import { CoreModule } from './core.module.js';
import { EventsModule } from './events/events.module.js';
import { HealthModule } from './health/health.module.js';
import { HttpModule } from './http/http.module.js';
import { LifecycleModule } from './lifecycle/lifecycle.module.js';
import { OperationsModule } from './operations/operations.module.js';
import { RestoreHttpModule } from './restore/restore-http.module.js';

/** The service: the core, its HTTP routes, and what starts and ends it. */
@Module({
  imports: [
    CoreModule,
    HttpModule,
    AuthModule,
    OperationsModule,
    LifecycleModule,
    BackupHttpModule,
    RestoreHttpModule,
    HealthModule,
    EventsModule,
  ],
})
export class AppModule {}
