import { EiderError } from '../errors/eider-error.js';
import type { Manifest } from '../repository/manifest.js';
import type { Repository } from '../repository/repository.js';

/**
 * The backup of Eider's own that a user means.
 *
 * @param without - what cannot be done with a database file that has no manifest, and what can, as the end of a sentence
 * @throws EiderError BACKUP_NOT_FOUND, MANIFEST_CORRUPT; REQUEST_INVALID for a file without a manifest
 */
export async function ownBackup(repository: Repository, text: string, without: string): Promise<Manifest> {
  const found = await repository.find(text);
  if (found.kind === 'eider') return found.manifest;
  throw new EiderError(
    'REQUEST_INVALID',
    `${found.foreign.name} was not written by Eider and has no manifest${without}`,
  );
}
