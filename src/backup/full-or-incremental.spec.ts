import { describe, expect, it } from '@jest/globals';
import { aManifest } from '../../test/support/manifests.js';
import { type FullBackupRules, reasonForFull } from './full-or-incremental.js';

const DAY_MS = 86_400_000;
const FULL = { key: 'hesocial-backup-20260101-000000.duckdb.zst', length: 1_000 };
const ADDED = { key: 'hesocial-backup-20260103-000000.blocks.zst', length: 200 };
const base = aManifest('hesocial-backup-20260103-000000', {
  createdAt: '2026-01-03T00:00:00Z',
  packs: [FULL, ADDED],
});
const KEY_ID = '0011223344556677';
const rules = { compression: 'zstd', keyId: undefined, fullEveryMs: 7 * DAY_MS, hurried: false } as const;
const facts = {
  manifest: base,
  use: new Map([
    [FULL.key, 600],
    [ADDED.key, 100],
  ]),
  worn: new Set<string>(),
  sizes: new Map([FULL, ADDED].map(({ key, length }) => [key, { size: length }])),
};
const soon = new Date('2026-01-03T00:30:00Z');

describe('a backup', () => {
  it('is incremental where the newest one can be built on', () => {
    expect(reasonForFull(facts, rules, soon)).toBeUndefined();
  });

  it.each<[string, Partial<typeof facts>, Partial<FullBackupRules>, Date, RegExp]>([
    ['compression was changed', {}, { compression: 'none' }, soon, /R2_COMPRESS_UPLOADS/],
    ['encryption was turned on', {}, { keyId: KEY_ID }, soon, /is not encrypted/],
    ['a pack is gone', { sizes: new Map([[FULL.key, { size: 1_000 }]]) }, {}, soon, /blocks\.zst .*missing/],
    [
      'a pack was cut',
      {
        sizes: new Map([
          [FULL.key, { size: 999 }],
          [ADDED.key, { size: 200 }],
        ]),
      },
      {},
      soon,
      /duckdb\.zst .*another size/,
    ],
    ['the last full one is a week old', {}, {}, new Date('2026-01-08T00:00:00Z'), /R2_FULL_BACKUP_DAYS/],
    [
      'there are too many packs',
      {
        manifest: { ...base, packs: Array.from({ length: 350 }, () => FULL) },
      },
      {},
      soon,
      /350 packs/,
    ],
    ['most of the packs is of no use any more', { use: new Map([[FULL.key, 599]]) }, {}, soon, /less than half/],
  ])('is full where %s', (_, changedFacts, changedRules, now, reason) => {
    expect(reasonForFull({ ...facts, ...changedFacts }, { ...rules, ...changedRules }, now)).toMatch(reason);
  });

  it('is full where no full backup is left in what it would build on', () => {
    const manifest = { ...base, packs: [ADDED] };
    expect(reasonForFull({ ...facts, manifest }, rules, soon)).toMatch(/R2_FULL_BACKUP_DAYS/);
  });

  it('is not full for the sake of packs that the next one leaves behind', () => {
    const packs = [FULL, { ...ADDED, length: 1_200 }];
    const worn = {
      ...facts,
      manifest: { ...base, packs },
      sizes: new Map(packs.map((pack) => [pack.key, { size: pack.length }])),
    };
    expect(reasonForFull(worn, rules, soon)).toMatch(/less than half/);
    expect(reasonForFull({ ...worn, worn: new Set([ADDED.key]) }, rules, soon)).toBeUndefined();
    const many = { ...facts, manifest: { ...base, packs: Array.from({ length: 350 }, () => FULL) } };
    expect(reasonForFull(many, rules, soon)).toMatch(/350 packs/);
    expect(reasonForFull({ ...many, worn: new Set([ADDED.key]) }, rules, soon)).toMatch(/less than half/);
  });

  it('is never full by age where that is turned off', () => {
    const later = new Date('2026-01-20T00:00:00Z');
    expect(reasonForFull(facts, { ...rules, fullEveryMs: 0 }, later)).toBeUndefined();
  });

  it('is full under another key, and where encryption was turned off, however hurried it is', () => {
    const encrypted = { ...base, encryption: { algorithm: 'aes-256-gcm', keyId: KEY_ID } as const };
    const told = (keyId: string | undefined): string | undefined =>
      reasonForFull({ ...facts, manifest: encrypted }, { ...rules, keyId, hurried: true }, soon);
    expect(told(KEY_ID)).toBeUndefined();
    expect(told('7766554433221100')).toMatch(/another key, 0011223344556677/);
    expect(told(undefined)).toMatch(/another key/);
  });

  it('that somebody waits for is full only where it must be', () => {
    const hurried = { ...rules, hurried: true };
    const later = new Date('2026-02-20T00:00:00Z');
    expect(reasonForFull({ ...facts, use: new Map() }, hurried, later)).toBeUndefined();
    expect(reasonForFull({ ...facts, sizes: new Map() }, hurried, later)).toMatch(/missing/);
    expect(reasonForFull(facts, { ...hurried, compression: 'none' }, later)).toMatch(/R2_COMPRESS_UPLOADS/);
  });

  it('of a clock that was set back is not full for that', () => {
    expect(reasonForFull(facts, rules, new Date('2025-01-01T00:00:00Z'))).toBeUndefined();
  });
});
