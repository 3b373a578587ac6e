import type { Manifest } from '../../src/repository/manifest.js';

const LINEAGE = '6f1f7a3e-9a51-4c4e-8f0e-3d9f1c1f0a01';
const WRITER = '0d3c5b1e-52a7-4a43-9a7e-0f5f4f6a7b02';

/** A valid manifest of a small full backup; only what a test is about needs to be given. */
export function aManifest(name: string, changes: Partial<Manifest> = {}): Manifest {
  const pack = `${name}.duckdb.zst`;
  return {
    format: 1,
    name,
    kind: 'full',
    trigger: 'interval',
    createdAt: '2026-01-01T00:00:00.000Z',
    environment: 'test',
    position: { lineage: LINEAGE, iteration: 3, offset: 0 },
    lineageParent: null,
    epoch: 1,
    writer: WRITER,
    log: 0,
    parent: null,
    fork: false,
    database: {
      name: 'hesocial-backup',
      size: 274_432,
      blockSize: 262_144,
      blocks: 1,
      duckdbVersion: 'v1.5.6',
      storageVersion: 68,
      identifier: '00112233445566778899aabbccddeeff',
      schemaVersion: 1,
      header: { pack, offset: 0, length: 100, sha256: 'a'.repeat(64) },
    },
    tables: [{ schema: 'main', name: 'events', rows: 6, exact: true, hash: null }],
    compression: 'zstd',
    encryption: null,
    packs: [{ key: pack, length: 5_000 }],
    extents: [{ key: `extents/${'b'.repeat(64)}.jsonl.zst`, sha256: 'b'.repeat(64), first: 0, count: 1 }],
    wal: null,
    bytes: { read: 274_432, added: 5_100, stored: 5_100 },
    durations: { checkpointMs: 1, captureMs: 2, totalMs: 3 },
    host: 'host',
    application: { name: 'eider', version: '0.1.0' },
    label: null,
    pinned: false,
    ...changes,
  };
}
