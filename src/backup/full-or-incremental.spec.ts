import { describe, expect, it } from '@jest/globals';
import { aManifest } from '../../test/support/manifests.js';
import { reasonForFull } from './full-or-incremental.js';

const DAY_MS = 86_400_000;
const FULL = { key: 'hesocial-backup-20260101-000000.duckdb.zst', length: 1_000 };
const ADDED = { key: 'hesocial-backup-20260103-000000.blocks.zst', length: 200 };
const base = aManifest('hesocial-backup-20260103-000000', {
  createdAt: '2026-01-03T00:00:00Z',
  packs: [FULL, ADDED],
});
const rules = { compression: 'zstd', fullEveryMs: 7 * DAY_MS, retentionMs: 30 * DAY_MS } as const;
const facts = {
  manifest: base,
  usedBytes: 700,
  sizes: new Map([FULL, ADDED].map(({ key, length }) => [key, { size: length }])),
};
const soon = new Date('2026-01-03T00:30:00Z');

describe('a backup', () => {
  it('is incremental where the newest one can be built on', () => {
    expect(reasonForFull(facts, rules, soon)).toBeUndefined();
  });

  it.each<[string, Partial<typeof facts>, Partial<typeof rules> | { compression: 'none' }, Date, RegExp]>([
    ['compression was changed', {}, { compression: 'none' }, soon, /R2_COMPRESS_UPLOADS/],
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
    ['retention is about to remove what it would build on', {}, { retentionMs: DAY_MS }, soon, /retention/],
    ['most of the packs is of no use any more', { usedBytes: 599 }, {}, soon, /less than half/],
  ])('is full where %s', (_, changedFacts, changedRules, now, reason) => {
    expect(reasonForFull({ ...facts, ...changedFacts }, { ...rules, ...changedRules }, now)).toMatch(reason);
  });

  it('is full where no full backup is left in what it would build on', () => {
    const manifest = { ...base, packs: [ADDED] };
    expect(reasonForFull({ ...facts, manifest }, rules, soon)).toMatch(/R2_FULL_BACKUP_DAYS/);
  });

  it.each([
    ['by age', { fullEveryMs: 0 }, new Date('2026-01-20T00:00:00Z')],
    ['by retention', { retentionMs: undefined, fullEveryMs: 0 }, new Date('2029-01-01T00:00:00Z')],
  ])('is never full %s where that is turned off', (_, changed, now) => {
    expect(reasonForFull(facts, { ...rules, ...changed }, now)).toBeUndefined();
  });

  it('of a clock that was set back is not full for that', () => {
    expect(reasonForFull(facts, rules, new Date('2025-01-01T00:00:00Z'))).toBeUndefined();
  });
});
