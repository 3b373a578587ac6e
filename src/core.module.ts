import { Module } from '@nestjs/common';
import { EiderConfigModule } from './config/config.module.js';
import { RestoreModule } from './restore/restore.module.js';
import { RuntimeModule } from './runtime/runtime.module.js';

/** Everything but HTTP and the lifecycle: what the command line uses. Nothing happens when it is created. */
@Module({ imports: [EiderConfigModule, RuntimeModule, RestoreModule], exports: [RestoreModule] })
export class CoreModule {}
