import { describe, expect, it } from '@jest/globals';
import { backupNameOf, classifyKey, fullBackupOf, fullPackKey, isSealed, partKeysOf } from './keys.js';

const NAME = 'hesocial-backup-20260101-000000';

describe('what a backup may have stored', () => {
  it('is its log, its full pack or its blocks, in every form', () => {
    expect(partKeysOf(NAME).toSorted()).toEqual(
      ['.duckdb', '.duckdb.wal', '.blocks']
        .flatMap((part) => ['', '.zst', '.enc', '.zst.enc'].map((form) => `${NAME}${part}${form}`))
        .toSorted(),
    );
  });

  it('is three keys in one form', () => {
    expect(partKeysOf(NAME, { compressed: true, encrypted: true })).toEqual([
      `${NAME}.duckdb.wal.zst.enc`,
      `${NAME}.duckdb.zst.enc`,
      `${NAME}.blocks.zst.enc`,
    ]);
  });

  it('leads back to its name, except for a log', () => {
    for (const key of partKeysOf(NAME).filter((part) => !part.includes('.wal'))) expect(backupNameOf(key)).toBe(NAME);
    for (const text of [`${NAME}.json`, `${NAME}.duckdb.gz`, NAME]) expect(backupNameOf(text)).toBe(NAME);
  });

  it('is a file by hand only where no key is needed to open it', () => {
    const kinds = (key: string): string => classifyKey(key).kind;
    const packs = [true, false].map((compressed) => fullPackKey(NAME, { compressed, encrypted: true }));
    expect(packs.map(kinds)).toEqual(['sealed-image', 'sealed-image']);
    expect(packs.every(isSealed)).toBe(true);
    expect([`${NAME}.duckdb`, `${NAME}.duckdb.zst`, `${NAME}.duckdb.gz`].map(kinds)).toEqual(Array(3).fill('image'));
    expect([`${NAME}.duckdb.wal.zst.enc`, `${NAME}.duckdb.wal.enc`].map(kinds)).toEqual(['wal', 'wal']);
  });

  it('tells a full backup from an incremental one, encrypted or not', () => {
    for (const key of partKeysOf(NAME)) {
      expect(fullBackupOf(key) !== undefined).toBe(/\.duckdb(\.zst)?(\.enc)?$/.test(key));
    }
  });
});
