import { EiderError, isEiderError } from '../errors/eider-error.js';
import { keyOf } from '../repository/backup-key.js';
import { isSealed, partKeysOf } from '../repository/keys.js';
import type { Listing } from '../repository/listing.js';
import type { Repository } from '../repository/repository.js';

/** What is wrong with one manifest, rather than with the store. */
const UNREADABLE: ReadonlySet<string> = new Set(['MANIFEST_CORRUPT', 'BACKUP_NOT_FOUND']);

/**
 * Refuses to go on where the newest backup of the main history is encrypted under a key that is not configured.
 *
 * A variable that got lost in a deployment must not make the next backup a plain one. Encryption is ended by `off` in the
 * first place, with the old key behind it.
 *
 * @throws EiderError ENCRYPTION_KEY_MISSING
 */
export async function refuseLostKey(repository: Repository, { backups, objects }: Listing): Promise<void> {
  const { keyring } = repository;
  for (const { name } of backups) {
    try {
      const manifest = await repository.manifests.of(name);
      if (manifest.fork) continue;
      keyOf(manifest, keyring);
      return;
    } catch (error) {
      if (!isEiderError(error) || !UNREADABLE.has(error.code)) throw error;
    }
    // Its manifest does not tell the key any more; that there was one can still be seen.
    const sealed = partKeysOf(name).find((key) => isSealed(key) && objects.has(key));
    if (sealed === undefined || keyring.isDecided) continue;
    throw new EiderError('ENCRYPTION_KEY_MISSING', `${sealed} is encrypted, and this service has no key.`, {
      details: { backup: name, keys: keyring.ids },
    });
  }
}
