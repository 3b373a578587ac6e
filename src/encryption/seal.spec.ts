import { describe, expect, it } from '@jest/globals';
import { createDecipheriv } from 'node:crypto';
import fc from 'fast-check';
import { EncryptionKey } from './encryption-key.js';
import { seal, SEAL_OVERHEAD, unseal } from './seal.js';

const { bytes: key } = EncryptionKey.generate();
const place = 'frame hesocial-backup-20260101-000000.duckdb.zst.enc 7';
const refused = /not what was sealed/;

describe('what is sealed', () => {
  it('opens with its key at its place, and is 28 bytes longer', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (content, anyPlace) => {
        const sealed = seal(key, anyPlace, content);
        expect(sealed).toHaveLength(content.length + SEAL_OVERHEAD);
        expect(new Uint8Array(unseal(key, anyPlace, sealed))).toEqual(new Uint8Array(content));
      }),
    );
  });

  it('is nonce, ciphertext and tag of AES-256-GCM with the place as additional data', () => {
    const sealed = seal(key, place, Buffer.from('content'));
    const cipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12));
    cipher.setAAD(Buffer.from(place, 'utf8'));
    cipher.setAuthTag(sealed.subarray(-16));
    expect(Buffer.concat([cipher.update(sealed.subarray(12, -16)), cipher.final()]).toString()).toBe('content');
  });

  it('opens neither with any flipped bit nor cut at any byte', () => {
    const sealed = seal(key, place, Buffer.from('some content'));
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const other = Buffer.from(sealed);
      other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => unseal(key, place, other)).toThrow(refused);
    }
    for (let length = 0; length < sealed.length; length++) {
      expect(() => unseal(key, place, sealed.subarray(0, length))).toThrow(refused);
      expect(() => unseal(key, place, sealed.subarray(sealed.length - length))).toThrow(refused);
    }
    expect(() => unseal(key, place, Buffer.concat([sealed, Buffer.alloc(1)]))).toThrow(refused);
  });

  it('opens neither under another key nor at another place', () => {
    const sealed = seal(key, place, Buffer.from('content'));
    expect(() => unseal(EncryptionKey.generate().bytes, place, sealed)).toThrow(refused);
    for (const other of ['', `${place}0`, place.slice(0, -1), place.replace('7', '8'), place.toUpperCase()]) {
      expect(() => unseal(key, other, sealed)).toThrow(refused);
    }
  });

  it('never looks the same twice', () => {
    const all = Array.from({ length: 1_000 }, () => seal(key, place, Buffer.alloc(32)));
    expect(new Set(all.map((sealed) => sealed.subarray(0, 12).toString('hex'))).size).toBe(1_000);
    expect(new Set(all.map((sealed) => sealed.subarray(12).toString('hex'))).size).toBe(1_000);
  });
});
