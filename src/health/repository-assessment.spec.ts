import { describe, expect, it } from '@jest/globals';
import { assessRepository, type RepositoryFacts } from './repository-assessment.js';

const HOUR = 3_600;

const healthy: RepositoryFacts = {
  enabled: true,
  last: {
    name: 'hesocial-backup-20260101-000000',
    createdAt: '2026-01-01T00:00:00.000Z',
    trigger: 'interval',
    stored: 9,
  },
  running: false,
  failures: 0,
  lastError: null,
  replacedBy: null,
  store: 'the bucket hesocial-duckdb',
  probe: { checkedAt: '2026-01-01T01:00:00.000Z', writable: true, latencyMs: 12, code: null, error: null },
  conditionalWrites: 'yes',
  lastBackupAgeSeconds: HOUR,
  intervalSeconds: HOUR,
  nextBackupAt: '2026-01-01T01:00:00.000Z',
  encryptionKeyId: null,
  notBackedUp: { changes: true, commitsInWal: 2, walBytes: 400 },
  conflict: null,
  replication: {
    state: 'shipping',
    shipped: { iteration: 3, offset: 400 },
    waitingBytes: 0,
    waitingSince: null,
    records: 4,
    lastError: null,
    lagMs: 0,
    syncIntervalMs: 3_000,
  },
  deletesDenied: 0,
  retentionError: null,
  lastProof: { backup: 'hesocial-backup-20260101-000000', at: '2026-01-01T00:30:00.000Z', ok: true, why: null },
  lastProofAgeSeconds: 1_800,
  proofIntervalSeconds: 24 * HOUR,
  proofError: null,
};

const failed = {
  checkedAt: '2026-01-01T01:00:00.000Z',
  writable: false,
  latencyMs: 5_000,
  code: 'STORE_UNAVAILABLE',
  error: 'refused',
};
const error = { code: 'STORE_NO_SPACE', message: 'full', at: '2026-01-01T01:00:00.000Z' };

const lostKey = { ...error, code: 'ENCRYPTION_KEY_MISSING', message: 'b-1 is encrypted' };

describe('the assessment of backups', () => {
  it('finds nothing wrong with healthy ones', () => {
    expect(assessRepository(healthy)).toEqual([]);
  });

  it.each<[string, Partial<RepositoryFacts>, 'degraded' | 'down', string]>([
    ['the store cannot be written to', { probe: failed }, 'down', 'STORE_UNAVAILABLE: refused'],
    ['another process took over', { replacedBy: 'hesocial-backup-20260101-003000' }, 'down', '20260101-003000'],
    ['the histories differ', { conflict: 'both have changed' }, 'down', 'nothing is shipped: both have changed'],
    ['backups fail', { failures: 3, lastError: error }, 'degraded', 'STORE_NO_SPACE'],
    ['the key is lost', { failures: 1, lastError: lostKey }, 'down', 'nothing is backed up: b-1 is encrypted'],
    ['the last one is overdue', { lastBackupAgeSeconds: 2 * HOUR + 1 }, 'degraded', 'older than 2 intervals'],
    ['two writers cannot be kept apart', { conditionalWrites: 'no' }, 'degraded', 'conditional writes'],
    [
      'retention does not come to a decision',
      { retentionError: 'a manifest is damaged' },
      'degraded',
      'removes nothing',
    ],
    [
      'the newest one cannot be restored',
      { lastProof: { backup: 'b-1', at: '2026-01-01T00:30:00.000Z', ok: false, why: 'a block is gone' } },
      'degraded',
      'b-1 cannot be restored (a block is gone)',
    ],
    [
      'none was proven for long',
      { lastProofAgeSeconds: 49 * HOUR, proofError: 'no room' },
      'degraded',
      '2 intervals: no room',
    ],
    [
      'another process has taken over the log',
      { replication: { ...healthy.replication, state: 'fenced' } },
      'down',
      'taken over',
    ],
    [
      'commits wait for long',
      { replication: { ...healthy.replication, waitingBytes: 77, lagMs: 10_001, lastError: error } },
      'degraded',
      '77 bytes of commits wait to be shipped for 10 s (STORE_NO_SPACE)',
    ],
    [
      'the log was not reached',
      { replication: { ...healthy.replication, state: 'disconnected', lastError: error } },
      'degraded',
      'commits are not shipped: full',
    ],
    ['retention may not delete', { deletesDenied: 4 }, 'degraded', '4 objects'],
    ['backups are turned off', { enabled: false, probe: null }, 'degraded', 'BACKUP_ENABLED=false'],
  ])('tells when %s', (_what, facts, state, text) => {
    expect(assessRepository({ ...healthy, ...facts })).toEqual([{ state, what: expect.stringContaining(text) }]);
  });

  it.each<[string, Partial<RepositoryFacts>]>([
    ['nothing was committed since', { notBackedUp: { changes: false, commitsInWal: 0, walBytes: 0 } }],
    ['none are taken on an interval', { intervalSeconds: 0 }],
    ['it is not known what was committed', { notBackedUp: null }],
    ['it is just two intervals old', { lastBackupAgeSeconds: 2 * HOUR }],
    ['none are proven by restores', { lastBackupAgeSeconds: HOUR, proofIntervalSeconds: 0, lastProofAgeSeconds: 1e9 }],
    ['none was proven yet', { lastBackupAgeSeconds: HOUR, lastProof: null, lastProofAgeSeconds: null }],
  ])('calls no backup overdue where %s', (_why, facts) => {
    expect(assessRepository({ ...healthy, lastBackupAgeSeconds: 100 * HOUR, ...facts })).toEqual([]);
  });
});
