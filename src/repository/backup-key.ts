import type { EncryptionKey } from '../encryption/encryption-key.js';
import type { Keyring } from '../encryption/keyring.js';
import { EiderError } from '../errors/eider-error.js';
import type { Manifest } from './manifest.js';

/**
 * The key that opens a backup; undefined where it is not encrypted.
 *
 * Asked for before anything is fetched, touched or written, so that a wrong key harms nothing.
 *
 * @throws EiderError ENCRYPTION_KEY_MISSING
 */
export function keyOf(
  { name, encryption }: Pick<Manifest, 'name' | 'encryption'>,
  keyring: Keyring,
): EncryptionKey | undefined {
  if (encryption === null) return undefined;
  const { keyId } = encryption;
  const key = keyring.find(keyId);
  if (key !== undefined) return key;
  const { ids } = keyring;
  throw new EiderError(
    'ENCRYPTION_KEY_MISSING',
    `${name} is encrypted under the key ${keyId}; this service has ${ids.length === 0 ? 'no key' : `only ${ids.join(', ')}`}.`,
    { details: { backup: name, keyId, keys: ids } },
  );
}
