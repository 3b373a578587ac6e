import type { EncryptionKey } from '../encryption/encryption-key.js';
import type { Keyring } from '../encryption/keyring.js';
import { recordBlockPlace, recordHashPlace } from '../encryption/places.js';
import { seal, unseal } from '../encryption/seal.js';
import { messageOf } from '../errors/eider-error.js';
import { keyOf } from './backup-key.js';
import { recordName } from './keys.js';
import { logRecordCorrupt, type WalRecordHead } from './log-record.js';

/** The hashes of contents in a record. */
type Hashed = Pick<WalRecordHead, 'number' | 'nonce' | 'wal' | 'blocks'>;

/** Encrypts the hashes of contents: the hash of one commit would tell anybody who can guess it whether the guess is right. */
export function sealHashes(
  { number, nonce, wal, blocks }: Hashed,
  key: EncryptionKey | undefined,
): Pick<Hashed, 'wal' | 'blocks'> {
  if (key === undefined) return { wal, blocks };
  const sealed = (place: string, text: string): string => seal(key.bytes, place, Buffer.from(text)).toString('base64');
  const record = recordName(number, nonce);
  return {
    wal: { ...wal, sha256: sealed(recordHashPlace(record), wal.sha256) },
    blocks: blocks.map((each) => ({ ...each, sha256: sealed(recordBlockPlace(record, each.block), each.sha256) })),
  };
}

/** A head with its hashes as they were. Throws ENCRYPTION_KEY_MISSING, LOG_RECORD_CORRUPT. */
export function openHashes(head: WalRecordHead, keyring: Keyring): WalRecordHead {
  const key = recordKey(head, keyring);
  if (key === undefined) return head;
  const record = recordName(head.number, head.nonce);
  const opened = (place: string, text: string): string => {
    try {
      return unseal(key.bytes, place, Buffer.from(text, 'base64')).toString();
    } catch (error) {
      throw logRecordCorrupt(head.number, `has a hash that cannot be decrypted: ${messageOf(error)}`, error);
    }
  };
  return {
    ...head,
    wal: { ...head.wal, sha256: opened(recordHashPlace(record), head.wal.sha256) },
    blocks: head.blocks.map((each) => ({ ...each, sha256: opened(recordBlockPlace(record, each.block), each.sha256) })),
  };
}

/** The key of a record; undefined where it is not encrypted. Throws ENCRYPTION_KEY_MISSING. */
export function recordKey({ number, encryption }: WalRecordHead, keyring: Keyring): EncryptionKey | undefined {
  return keyOf({ name: `record ${number} of the log`, encryption }, keyring);
}
