import type { BlockPool } from '../block-pool/block-pool.js';
import type { StoreConfig } from '../config/store.config.js';
import { FilesystemObjectStore } from './filesystem/filesystem-object-store.js';
import type { ObjectStore } from './object-store.js';
import { digestElsewhere } from './s3/part-digest.js';

/**
 * The store that a configuration names: a bucket or a folder. Opens nothing yet. The AWS SDK is loaded for a bucket alone.
 *
 * @param pool - hashes what is uploaded
 */
export async function createObjectStore(config: StoreConfig, pool: BlockPool): Promise<ObjectStore> {
  if (config.kind === 'folder') return new FilesystemObjectStore(config);
  const { S3ObjectStore } = await import('./s3/s3-object-store.js');
  return new S3ObjectStore(
    config,
    undefined,
    digestElsewhere((bytes, length) => pool.digest({ bytes, length })),
  );
}
