import { Module } from '@nestjs/common';
import { BlockPoolModule } from '../block-pool/block-pool.module.js';
import { backupConfig } from '../config/backup.config.js';
import { databaseConfig } from '../config/database.config.js';
import { encryptionConfig } from '../config/encryption.config.js';
import { OBJECT_STORE } from '../object-store/object-store.js';
import { ObjectStoreModule } from '../object-store/object-store.module.js';
import { Clock } from '../runtime/clock.js';
import { createRepository } from './create-repository.js';
import { Repository } from './repository.js';

@Module({
  imports: [ObjectStoreModule, BlockPoolModule],
  providers: [
    {
      provide: Repository,
      inject: [OBJECT_STORE, backupConfig.KEY, databaseConfig.KEY, encryptionConfig.KEY, Clock],
      useFactory: createRepository,
    },
  ],
  exports: [Repository, ObjectStoreModule, BlockPoolModule],
})
export class RepositoryModule {}
