import { describe, expect, it } from '@jest/globals';
import { assessDatabase, type DatabaseFacts } from './database-assessment.js';
import { stateOf } from './health-report.js';

const healthy: DatabaseFacts & { readonly open: true } = {
  open: true,
  fatal: null,
  path: '/data/hesocial.duckdb',
  connectionMs: 0.1,
  queryMs: 0.4,
  queryError: null,
  bytes: 1_000_000,
  walBytes: 1_000,
  commitsInWal: 3,
  diskFreeBytes: 50_000_000_000,
  checkpointObstacle: null,
  writesPaused: null,
  writesInFlight: 1,
};

describe('the assessment of a database', () => {
  it('finds nothing wrong with a healthy one', () => {
    expect(assessDatabase(healthy)).toEqual([]);
    expect(stateOf({ findings: [] })).toBe('up');
  });

  it.each<[string, Partial<typeof healthy>, 'degraded' | 'down', string]>([
    ['DuckDB gave up', { fatal: 'fsync failed' }, 'down', 'fsync failed'],
    ['a query failed', { queryError: 'timed out', connectionMs: null, queryMs: null }, 'down', 'timed out'],
    ['a query was slow', { connectionMs: 600, queryMs: 500 }, 'degraded', 'more than a second'],
    ['writes are paused', { writesPaused: 'a restore is in progress' }, 'degraded', 'a restore is in progress'],
    [
      'the log cannot be folded',
      { walBytes: 600 * 1024 * 1024, checkpointObstacle: 'a write that does not end' },
      'degraded',
      'a write that does not end',
    ],
    ['the disk has no room for a restore', { diskFreeBytes: 67_500_000 }, 'degraded', 'no room'],
    ['the disk is nearly full', { diskFreeBytes: 1_000_999 }, 'degraded', 'nearly full'],
  ])('tells when %s', (_what, facts, state, text) => {
    const findings = assessDatabase({ ...healthy, ...facts });
    expect(findings).toEqual([{ state, what: expect.stringContaining(text) }]);
    expect(stateOf({ findings })).toBe(state);
  });

  it('tells when it is closed, and why when DuckDB gave up', () => {
    expect(assessDatabase({ open: false, fatal: null })).toMatchObject([{ state: 'down' }]);
    expect(assessDatabase({ open: false, fatal: 'EIO' })).toEqual([
      { state: 'down', what: expect.stringContaining('EIO') },
    ]);
  });

  it('is down when one finding is, whatever the others are', () => {
    const findings = assessDatabase({ ...healthy, writesPaused: 'a stop', queryError: 'interrupted' });
    expect(findings.map(({ state }) => state).sort()).toEqual(['degraded', 'down']);
    expect(stateOf({ findings })).toBe('down');
  });
});
