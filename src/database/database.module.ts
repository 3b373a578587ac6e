import { Module } from '@nestjs/common';
import { CheckpointWatcher } from './checkpoint-watcher.js';
import { DatabaseService } from './database.service.js';
import { Migrator } from './migrator.js';
import { Seeder } from './seeder.js';

/** The DuckDB file. It is opened by the start, after a restore, not when the module is created. */
@Module({
  providers: [DatabaseService, CheckpointWatcher, Migrator, Seeder],
  exports: [DatabaseService, CheckpointWatcher, Migrator, Seeder],
})
export class DatabaseModule {}
