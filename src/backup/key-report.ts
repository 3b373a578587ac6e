import { inOrder } from '../block-pool/in-order.js';
import { isEiderError, messageOf } from '../errors/eider-error.js';
import { REQUESTS_AT_ONCE } from '../object-store/object-store.js';
import type { ListedBackup } from '../repository/listing.js';
import type { Repository } from '../repository/repository.js';

/** Which key one backup needs. */
export interface BackupKey {
  readonly name: string;
  /** Null where it is not encrypted, or its manifest cannot be read. */
  readonly keyId: string | null;
  /** Whether this service can read it, as far as keys go. */
  readonly readable: boolean;
  /** Why its manifest cannot be read; null where it can. */
  readonly error: string | null;
}

/** Which keys there are, and which backups need them. */
export interface KeyReport {
  /** The key under which the next backup is stored; null where it is not encrypted. */
  readonly writes: string | null;
  /** Keys that are configured, in their order, and how many backups need each. */
  readonly keys: readonly { readonly id: string; readonly backups: number }[];
  /** Newest first. */
  readonly backups: readonly BackupKey[];
}

/** Compares the keys with what the manifests name. Reads no other object. Throws STORE_*. */
export async function reportKeys(repository: Repository): Promise<KeyReport> {
  const { keyring } = repository;
  const { backups: listed } = await repository.list();
  const backups: BackupKey[] = [];
  for await (const found of inOrder(listed, REQUESTS_AT_ONCE, (backup) => keyOfBackup(repository, backup))) {
    if (found !== undefined) backups.push(found);
  }
  return {
    writes: keyring.writing?.id ?? null,
    keys: keyring.ids.map((id) => ({ id, backups: backups.filter(({ keyId }) => keyId === id).length })),
    backups,
  };
}

/** Undefined where it was removed meanwhile. */
async function keyOfBackup(repository: Repository, { name }: ListedBackup): Promise<BackupKey | undefined> {
  try {
    const { encryption } = await repository.manifests.of(name);
    const keyId = encryption?.keyId ?? null;
    const readable = keyId === null || repository.keyring.find(keyId) !== undefined;
    return { name, keyId, readable, error: null };
  } catch (error) {
    if (isEiderError(error, 'BACKUP_NOT_FOUND')) return undefined;
    if (!isEiderError(error, 'MANIFEST_CORRUPT') && !isEiderError(error, 'REPOSITORY_FORMAT_NEWER')) throw error;
    return { name, keyId: null, readable: false, error: messageOf(error) };
  }
}
