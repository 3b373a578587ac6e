import { createCipheriv, createDecipheriv, randomFillSync } from 'node:crypto';

/** AES with a key of 256 bits in Galois/counter mode: NIST SP 800-38D. */
export const ALGORITHM = 'aes-256-gcm';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** What a sealed thing is longer than the thing itself, bytes. */
export const SEAL_OVERHEAD = NONCE_BYTES + TAG_BYTES;

/**
 * Encrypts and authenticates: `nonce(12) || ciphertext || tag(16)`.
 *
 * The nonce is random, so that writers need not agree on a counter. Two equal ones under one key would give both contents
 * away: NIST allows 2^32 seals of a key, after which that is still less likely than 2^-32.
 *
 * @param place - where the bytes belong (./places.ts): they open nowhere else
 */
export function seal(key: Uint8Array, place: string, bytes: Uint8Array): Buffer {
  const sealed = Buffer.allocUnsafe(bytes.byteLength + SEAL_OVERHEAD);
  randomFillSync(sealed, 0, NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(place));
  sealed.set(cipher.update(bytes), NONCE_BYTES);
  cipher.final();
  sealed.set(cipher.getAuthTag(), NONCE_BYTES + bytes.byteLength);
  return sealed;
}

/** Opens what was sealed; throws where it is not exactly what was sealed under this key for this place. */
export function unseal(key: Uint8Array, place: string, sealed: Uint8Array): Buffer {
  if (sealed.byteLength < SEAL_OVERHEAD) throw new Error(NOT_SEALED);
  const end = sealed.byteLength - TAG_BYTES;
  const decipher = createDecipheriv(ALGORITHM, key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(place));
  decipher.setAuthTag(sealed.subarray(end));
  const bytes = decipher.update(sealed.subarray(NONCE_BYTES, end));
  try {
    decipher.final();
  } catch {
    // OpenSSL says no more than that it does not fit.
    throw new Error(NOT_SEALED);
  }
  return bytes;
}

const NOT_SEALED = 'it is not what was sealed for this place';
