import { describe, expect, it } from '@jest/globals';
import { codecOf } from '../block-pool/codec.js';
import { decodeExtent, encodeExtent, extentHash, storeExtent } from './extent.js';

const extent = {
  first: 4096,
  by: 'hesocial-backup-20260101-000000',
  frames: [
    { pack: 'a.duckdb.zst', offset: 0, length: 10, sha256: '1'.repeat(64) },
    { pack: 'b.blocks.zst', offset: 0, length: 20, sha256: '2'.repeat(64) },
    { pack: 'a.duckdb.zst', offset: 10, length: 30, sha256: '3'.repeat(64) },
  ],
};

describe('an extent', () => {
  it('is read back as it was written', () => {
    const text = encodeExtent(extent);
    expect(decodeExtent(text, extentHash(text))).toEqual(extent);
  });

  it('is stored under the hash of its text', () => {
    const stored = storeExtent(extent);
    expect(stored.key).toBe(`extents/${stored.sha256}.jsonl.zst`);
    expect(extentHash(Buffer.from(codecOf('zstd').decode(stored.body)))).toBe(stored.sha256);
  });

  it('of another backup is another one, though it says the same', () => {
    expect(storeExtent({ ...extent, by: 'hesocial-backup-20260101-000001' }).key).not.toBe(storeExtent(extent).key);
  });

  it('is refused when a byte of it changed', () => {
    const text = encodeExtent(extent);
    const hash = extentHash(text);
    text[text.length - 10] = (text[text.length - 10] ?? 0) ^ 1;
    expect(() => decodeExtent(text, hash)).toThrow(expect.objectContaining({ code: 'EXTENT_CORRUPT' }));
  });
});
