import { describe, expect, it } from '@jest/globals';
import { aManifest } from '../../test/support/manifests.js';
import type { Manifest } from '../repository/manifest.js';
import type { FoundBackup } from '../repository/repository.js';
import { planRestore } from './restore-plan.js';

const NAME = 'hesocial-backup-20260101-000000';
const MIB = 1024 * 1024;
const facts = { newest: NAME, bytesFree: 5_000 * MIB };
const own = (changes: Partial<Manifest> = {}): FoundBackup => ({ kind: 'eider', manifest: aManifest(NAME, changes) });
const foreign = (encoding: 'plain' | 'gzip' | 'zstd'): FoundBackup => ({
  kind: 'foreign',
  foreign: { name: 'by-hand.duckdb', encoding, size: 200 * MIB, createdAt: new Date('2025-07-05T12:00:00Z') },
});
const sized = (size: number) => ({ database: { ...aManifest(NAME).database, size } });

describe('the plan of a restore', () => {
  it('names the backup, its time and where the database will be', () => {
    const manifest = aManifest(NAME);
    expect(planRestore(own(), facts)).toMatchObject({
      backup: NAME,
      source: 'eider',
      createdAt: manifest.createdAt,
      position: manifest.position,
      databaseBytes: manifest.database.size,
      bytesFree: facts.bytesFree,
    });
  });

  it('counts every object that will be read: manifest, tables, packs and log', () => {
    const wal = { key: `${NAME}.duckdb.wal.zst`, length: 1_000, stored: 300, sha256: 'c'.repeat(64) };
    expect(planRestore(own(), facts)).toMatchObject({ objects: 3, bytesToFetch: 5_100 });
    expect(planRestore(own({ wal }), facts).objects).toBe(4);
  });

  it('needs room for the file, for folding the log, and a margin', () => {
    const plain = planRestore(own(sized(300 * MIB)), facts);
    expect(plain.bytesNeeded).toBe(364 * MIB);
    const wal = { key: `${NAME}.duckdb.wal.zst`, length: 10 * MIB, stored: 300, sha256: 'c'.repeat(64) };
    expect(planRestore(own({ ...sized(300 * MIB), wal }), facts).bytesNeeded).toBe(384 * MIB);
  });

  it('goes on in the history with the newest backup of the main history only', () => {
    expect(planRestore(own(), facts).continuesLineage).toBe(true);
    expect(planRestore(own(), { ...facts, newest: 'hesocial-backup-20260102-000000' }).continuesLineage).toBe(false);
    expect(planRestore(own({ fork: true }), facts).continuesLineage).toBe(false);
    expect(planRestore(own(), { ...facts, newest: undefined }).continuesLineage).toBe(false);
  });

  it('takes as long as the size and the speed say, rounded up to seconds', () => {
    expect(planRestore(own(sized(100_000_001)), facts).estimatedSeconds).toBe(3);
    expect(planRestore(own(sized(100_000_001)), { ...facts, bytesPerSecond: 200_000_000 }).estimatedSeconds).toBe(1);
  });

  it('counts what is on the disk: only the rest is fetched, from fewer packs and in less time', () => {
    const local = { blocks: 1, bytes: 262_144, bytesToFetch: 700, packs: 0 };
    const all = planRestore(own(), facts);
    expect(all).toMatchObject({ blocks: 2, localBlocks: 0, localBytes: 0, bytesToFetch: 5_100, objects: 3 });
    expect(planRestore(own(), { ...facts, local })).toMatchObject({
      blocks: 2,
      localBlocks: 1,
      localBytes: 262_144,
      bytesToFetch: 700,
      objects: 2,
    });
    const half = { ...local, bytes: 200_000_000 };
    const large = own(sized(400_000_000));
    expect(planRestore(large, facts).estimatedSeconds).toBe(8);
    expect(planRestore(large, { ...facts, local: half }).estimatedSeconds).toBe(5);
  });

  it('needs no room for what an interrupted restore has written already, which cannot be more than the file', () => {
    const found = own(sized(300 * MIB));
    expect(planRestore(found, { ...facts, occupied: 100 * MIB }).bytesNeeded).toBe(264 * MIB);
    expect(planRestore(found, { ...facts, occupied: 900 * MIB }).bytesNeeded).toBe(64 * MIB);
  });

  it('of a file without a manifest knows what the object tells, and no position', () => {
    expect(planRestore(foreign('plain'), facts)).toEqual({
      backup: 'by-hand.duckdb',
      source: 'foreign',
      createdAt: '2025-07-05T12:00:00.000Z',
      position: null,
      continuesLineage: false,
      objects: 1,
      bytesToFetch: 200 * MIB,
      databaseBytes: 200 * MIB,
      blocks: null,
      localBlocks: 0,
      localBytes: 0,
      bytesNeeded: 264 * MIB,
      bytesFree: facts.bytesFree,
      estimatedSeconds: 5,
      point: null,
    });
  });

  it.each(['gzip', 'zstd'] as const)('of a file compressed with %s does not pretend to know its size', (encoding) => {
    expect(planRestore(foreign(encoding), facts).databaseBytes).toBeNull();
  });
});
