import { Module } from '@nestjs/common';
import { BlockPoolModule } from '../block-pool/block-pool.module.js';
import { backupConfig, type BackupConfig } from '../config/backup.config.js';
import { OBJECT_STORE, type ObjectStore } from '../object-store/object-store.js';
import { ObjectStoreModule } from '../object-store/object-store.module.js';
import { Clock } from '../runtime/clock.js';
import { Repository } from './repository.js';

@Module({
  imports: [ObjectStoreModule, BlockPoolModule],
  providers: [
    {
      provide: Repository,
      inject: [OBJECT_STORE, backupConfig.KEY, Clock],
      useFactory: (store: ObjectStore, config: BackupConfig, clock: Clock) =>
        new Repository(store, config, () => clock.now()),
    },
  ],
  exports: [Repository, ObjectStoreModule, BlockPoolModule],
})
export class RepositoryModule {}
