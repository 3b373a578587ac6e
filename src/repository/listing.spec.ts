import { describe, expect, it } from '@jest/globals';
import { readListing } from './listing.js';

const at = (key: string, time = '2026-01-05T00:00:00Z') => ({ key, size: 10, modifiedAt: new Date(time) });

describe('a listing', () => {
  it('shows backups newest first, whatever their stems', () => {
    const { backups } = readListing(
      [
        at('hesocial-manual-20260102-000000.json'),
        at('hesocial-backup-20260101-000000.json'),
        at('hesocial-backup-20260103-000000.json'),
      ],
      new Map(),
    );
    expect(backups.map(({ name }) => name)).toEqual([
      'hesocial-backup-20260103-000000',
      'hesocial-manual-20260102-000000',
      'hesocial-backup-20260101-000000',
    ]);
  });

  it('shows database files without a manifest, with the time in their name or their own', () => {
    const { foreign } = readListing(
      [
        at('hesocial-production-20250705-120000.duckdb'),
        at('by-hand.duckdb.gz'),
        at('x.duckdb.zst', '2026-01-06T00:00:00Z'),
      ],
      new Map(),
    );
    expect(foreign.map(({ name, encoding, createdAt }) => [name, encoding, createdAt.toISOString()])).toEqual([
      ['x.duckdb.zst', 'zstd', '2026-01-06T00:00:00.000Z'],
      ['by-hand.duckdb.gz', 'gzip', '2026-01-05T00:00:00.000Z'],
      ['hesocial-production-20250705-120000.duckdb', 'plain', '2025-07-05T12:00:00.000Z'],
    ]);
  });

  it('never shows the pack of a backup that was not completed', () => {
    const name = 'hesocial-backup-20260101-000000';
    const { foreign, backups } = readListing(
      [at(`${name}.duckdb.zst`), at(`${name}.duckdb.wal.zst`)],
      new Map([[name, new Date()]]),
    );
    expect([foreign, backups]).toEqual([[], []]);
  });

  it('never shows an encrypted pack as a file by hand: nobody can open it without a manifest', () => {
    const name = 'hesocial-backup-20260101-000000';
    const { foreign } = readListing([at(`${name}.duckdb.zst.enc`), at(`${name}.duckdb.enc`)], new Map());
    expect(foreign).toEqual([]);
  });

  it('passes over what is none of its business', () => {
    const { foreign, backups } = readListing([at('repository.json'), at('notes.txt'), at('a.json')], new Map());
    expect([foreign, backups]).toEqual([[], []]);
  });
});
