import { resolve } from 'node:path';
import type { BackupConfig } from '../config/backup.config.js';
import type { DatabaseConfig } from '../config/database.config.js';
import type { EncryptionConfig } from '../config/encryption.config.js';
import { extentCacheOf, manifestCacheOf } from '../database/database-files.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Clock } from '../runtime/clock.js';
import { ExtentCache } from './extent-cache.js';
import { ManifestCache } from './manifest-cache.js';
import { Repository } from './repository.js';

/** The repository that a configuration names, its last manifest and block tables kept beside the database. Opens nothing yet. */
export function createRepository(
  store: ObjectStore,
  config: BackupConfig,
  { path }: DatabaseConfig,
  { keyring }: EncryptionConfig,
  clock: Clock,
): Repository {
  const manifest = new ManifestCache(manifestCacheOf(resolve(path)));
  const extents = new ExtentCache(extentCacheOf(resolve(path)));
  return new Repository(
    store,
    config,
    () => clock.now(),
    { manifest, extents },
    keyring,
    (ms, work) => clock.every(ms, work),
  );
}
