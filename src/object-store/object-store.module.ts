import { Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { BlockPool } from '../block-pool/block-pool.js';
import { BlockPoolModule } from '../block-pool/block-pool.module.js';
import { storeConfig } from '../config/store.config.js';
import { createObjectStore } from './create-object-store.js';
import { OBJECT_STORE } from './object-store.js';

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
