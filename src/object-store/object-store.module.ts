import { Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { BlockPool } from '../block-pool/block-pool.js';
import { BlockPoolModule } from '../block-pool/block-pool.module.js';
import { storeConfig, type StoreConfig } from '../config/store.config.js';
import { FilesystemObjectStore } from './filesystem/filesystem-object-store.js';
import { OBJECT_STORE, type ObjectStore } from './object-store.js';
import { digestElsewhere } from './s3/part-digest.js';
import { S3ObjectStore } from './s3/s3-object-store.js';

/** The store that a configuration names: a bucket or a folder. Opens nothing yet. */
export function createObjectStore(config: StoreConfig, pool: BlockPool): ObjectStore {
  if (config.kind !== 'bucket') return new FilesystemObjectStore(config);
  return new S3ObjectStore(
    config,
    undefined,
    digestElsewhere((bytes, length) => pool.digest({ bytes, length })),
  );
}

/**
 * Provides the object store under the token OBJECT_STORE.
 *
 * It is not closed by a hook of Nest's: the shutdown backup still needs it, so whoever runs the shutdown closes it last.
 */
@Module({
  imports: [ConfigModule.forFeature(storeConfig), BlockPoolModule],
  providers: [{ provide: OBJECT_STORE, useFactory: createObjectStore, inject: [storeConfig.KEY, BlockPool] }],
  exports: [OBJECT_STORE],
})
export class ObjectStoreModule {}
