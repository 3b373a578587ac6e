import { Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { storeConfig, type StoreConfig } from '../config/store.config.js';
import { FilesystemObjectStore } from './filesystem/filesystem-object-store.js';
import { OBJECT_STORE, type ObjectStore } from './object-store.js';
import { S3ObjectStore } from './s3/s3-object-store.js';

/** The store that a configuration names: a bucket or a folder. Opens nothing yet. */
export function createObjectStore(config: StoreConfig): ObjectStore {
  return config.kind === 'bucket' ? new S3ObjectStore(config) : new FilesystemObjectStore(config);
}

/**
 * Provides the object store under the token OBJECT_STORE.
 *
 * It is not closed by a hook of Nest's: the shutdown backup still needs it, so whoever runs the shutdown closes it last.
 */
@Module({
  imports: [ConfigModule.forFeature(storeConfig)],
  providers: [{ provide: OBJECT_STORE, useFactory: createObjectStore, inject: [storeConfig.KEY] }],
  exports: [OBJECT_STORE],
})
export class ObjectStoreModule {}
