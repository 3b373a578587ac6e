import { Module } from '@nestjs/common';
import { resolve } from 'node:path';
import { BlockPoolModule } from '../block-pool/block-pool.module.js';
import { backupConfig, type BackupConfig } from '../config/backup.config.js';
import { OBJECT_STORE, type ObjectStore } from '../object-store/object-store.js';
import { ObjectStoreModule } from '../object-store/object-store.module.js';
import { Clock } from '../runtime/clock.js';
import { databaseConfig, type DatabaseConfig } from '../config/database.config.js';
import { encryptionConfig, type EncryptionConfig } from '../config/encryption.config.js';
import { extentCacheOf, manifestCacheOf } from '../database/database-files.js';
import { ExtentCache } from './extent-cache.js';
import { ManifestCache } from './manifest-cache.js';
import { Repository } from './repository.js';

@Module({
  imports: [ObjectStoreModule, BlockPoolModule],
  providers: [
    {
      provide: Repository,
      inject: [OBJECT_STORE, backupConfig.KEY, databaseConfig.KEY, encryptionConfig.KEY, Clock],
      useFactory: (
        store: ObjectStore,
        config: BackupConfig,
        { path }: DatabaseConfig,
        { keyring }: EncryptionConfig,
        clock: Clock,
      ) =>
        new Repository(
          store,
          config,
          () => clock.now(),
          {
            manifest: new ManifestCache(manifestCacheOf(resolve(path))),
            extents: new ExtentCache(extentCacheOf(resolve(path))),
          },
          keyring,
          (ms, work) => clock.every(ms, work),
        ),
    },
  ],
  exports: [Repository, ObjectStoreModule, BlockPoolModule],
})
export class RepositoryModule {}
