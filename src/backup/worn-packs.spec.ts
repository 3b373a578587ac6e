import { describe, expect, it } from '@jest/globals';
import { wornPacks } from './worn-packs.js';

const MEBIBYTE = 1024 * 1024;
const FULL = 'hesocial-backup-20260101-000000.duckdb.zst';
const ADDED = 'hesocial-backup-20260101-003000.blocks.zst';

/** Whether a pack of that length is worn, of which so much is used. */
function isWorn(key: string, length: number, used: number): boolean {
  return wornPacks([{ key, length }], new Map(used === 0 ? [] : [[key, used]])).has(key);
}

describe('a pack', () => {
  it('is worn where less than a quarter of it is used', () => {
    expect(isWorn(ADDED, 8 * MEBIBYTE, 2 * MEBIBYTE - 1)).toBe(true);
    expect(isWorn(ADDED, 8 * MEBIBYTE, 2 * MEBIBYTE)).toBe(false);
    expect(isWorn(ADDED, 8 * MEBIBYTE, 8 * MEBIBYTE)).toBe(false);
    expect(isWorn(ADDED, 8 * MEBIBYTE, 0)).toBe(true);
  });

  it('is not worn where hardly anything would be gained', () => {
    expect(isWorn(ADDED, MEBIBYTE, 0)).toBe(true);
    expect(isWorn(ADDED, MEBIBYTE, 1)).toBe(false);
  });

  it('of a full backup is never worn', () => {
    expect(isWorn(FULL, 8 * MEBIBYTE, 1)).toBe(false);
  });
});
