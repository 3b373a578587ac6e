import type { WalRecordHead } from '../../src/repository/log-record.js';

export const LINEAGE = '6f1f7a3e-9a51-4c4e-8f0e-3d9f1c1f0a01';

/** The head of a record of commits; only what a test is about needs to be given. */
export function aWalHead(changes: Partial<WalRecordHead> = {}): WalRecordHead {
  const { number = 1, from = 0, to = from + 100 } = changes;
  return {
    format: 1,
    number,
    nonce: '0d3c5b1e-52a7-4a43-9a7e-0f5f4f6a7b02',
    writer: '3e1a9a0c-7d1f-4b33-8f53-1f1a7f4f2c03',
    epoch: 1,
    lineage: LINEAGE,
    at: '2026-01-01T00:00:00.000Z',
    kind: 'wal',
    base: 'hesocial-backup-20260101-000000',
    iteration: 3,
    from,
    to,
    commits: 1,
    marks: [[to, 1_000 * number]],
    wal: { length: to - from, stored: 50, sha256: 'a'.repeat(64) },
    blocks: [],
    compression: 'zstd',
    encryption: null,
    payload: null,
    ...changes,
  };
}
