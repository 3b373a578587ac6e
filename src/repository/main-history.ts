import { inOrder } from '../block-pool/in-order.js';
import { isEiderError } from '../errors/eider-error.js';
import { REQUESTS_AT_ONCE } from '../object-store/object-store.js';
import type { Manifest } from './manifest.js';
import type { Repository } from './repository.js';

/** What concerns one backup alone: others may do, and a point that needs this one misses it later. */
const LEFT_OUT: ReadonlySet<string> = new Set(['MANIFEST_CORRUPT', 'BACKUP_NOT_FOUND']);

/**
 * The manifests of all backups of the main history, newest first; forks, damaged ones and those that were removed meanwhile
 * are left out. Throws STORE_*.
 */
export async function mainHistory(repository: Repository): Promise<readonly Manifest[]> {
  const { backups } = await repository.list();
  const manifests: Manifest[] = [];
  for await (const manifest of inOrder(backups, REQUESTS_AT_ONCE, ({ name }) => readable(repository, name))) {
    if (manifest !== undefined && !manifest.fork) manifests.push(manifest);
  }
  return manifests;
}

async function readable(repository: Repository, name: string): Promise<Manifest | undefined> {
  try {
    return await repository.manifests.of(name);
  } catch (error) {
    if (isEiderError(error) && LEFT_OUT.has(error.code)) return undefined;
    throw error;
  }
}
