import type { EncryptionKey } from '../encryption/encryption-key.js';
import type { Keyring } from '../encryption/keyring.js';
import { logHashPlace, tableHashPlace } from '../encryption/places.js';
import { seal, unseal } from '../encryption/seal.js';
import { EiderError, messageOf } from '../errors/eider-error.js';
import { keyOf } from './backup-key.js';
import type { Manifest, ManifestTable } from './manifest.js';

/**
 * Hashes of contents are encrypted in the manifest of an encrypted backup. Two sums that differ by one row, or the hash of a log
 * of one commit, would let anybody who can guess what was written find out whether the guess is right.
 */
export function sealFacts(
  { name, tables, wal }: Pick<Manifest, 'name' | 'tables' | 'wal'>,
  key: EncryptionKey | undefined,
): Pick<Manifest, 'tables' | 'wal'> {
  if (key === undefined) return { tables, wal };
  const sealed = (place: string, text: string): string => seal(key.bytes, place, Buffer.from(text)).toString('base64');
  return {
    tables: tables.map((table) => ({
      ...table,
      hash: table.hash === null ? null : sealed(tableHashPlace(name, table), table.hash),
    })),
    wal: wal === null ? null : { ...wal, sha256: sealed(logHashPlace(wal.key), wal.sha256) },
  };
}

/** The tables of a backup, with the hashes of their contents. Throws ENCRYPTION_KEY_MISSING, MANIFEST_CORRUPT. */
export function tablesOf(manifest: Manifest, keyring: Keyring): ManifestTable[] {
  const key = keyOf(manifest, keyring);
  return manifest.tables.map((table) => ({
    ...table,
    hash: table.hash && opened(manifest, key, tableHashPlace(manifest.name, table), table.hash),
  }));
}

/** SHA-256 of the log of a backup. Throws ENCRYPTION_KEY_MISSING, MANIFEST_CORRUPT. */
export function logHashOf(manifest: Manifest, wal: NonNullable<Manifest['wal']>, keyring: Keyring): string {
  return opened(manifest, keyOf(manifest, keyring), logHashPlace(wal.key), wal.sha256);
}

function opened({ name }: Manifest, key: EncryptionKey | undefined, place: string, text: string): string {
  if (key === undefined) return text;
  try {
    return unseal(key.bytes, place, Buffer.from(text, 'base64')).toString();
  } catch (error) {
    throw new EiderError(
      'MANIFEST_CORRUPT',
      `A hash in the manifest of ${name} cannot be decrypted: ${messageOf(error)}.`,
      {
        cause: error,
        details: { backup: name },
      },
    );
  }
}
