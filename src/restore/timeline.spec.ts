import { describe, expect, it } from '@jest/globals';
import { aManifest } from '../../test/support/manifests.js';
import { layOutTimeline } from './timeline.js';

const FIRST = '6f1f7a3e-9a51-4c4e-8f0e-3d9f1c1f0a01';
const SECOND = '7f1f7a3e-9a51-4c4e-8f0e-3d9f1c1f0a02';
const T = Date.parse('2026-01-01T00:00:00.000Z');
const base = (minute: number, iteration: number, lineage = FIRST) =>
  aManifest(`hesocial-backup-20260101-00${String(minute).padStart(2, '0')}00`, {
    createdAt: new Date(T + minute * 60_000).toISOString(),
    durations: { checkpointMs: 0, captureMs: 500, totalMs: 600 },
    position: { lineage, iteration, offset: 0 },
    lineageParent: lineage === FIRST ? null : { lineage: FIRST, iteration: 4, offset: 70 },
  });

describe('the timeline', () => {
  it('has a range for each iteration, from the moment of its backup to its last commit', () => {
    const facts = { base: base(1, 3), backups: ['a', 'b'], lastCommitAt: T + 90_000, gap: null };
    expect(layOutTimeline([facts]).lineages).toEqual([
      {
        lineage: FIRST,
        parent: null,
        backups: ['a', 'b'],
        gaps: [],
        ranges: [
          {
            from: '2026-01-01T00:00:59.500Z',
            to: '2026-01-01T00:01:30.000Z',
            base: facts.base.name,
            iteration: 3,
            everyCommit: true,
          },
        ],
      },
    ]);
  });

  it('has the moment of the backup alone where nothing was shipped', () => {
    const { lineages } = layOutTimeline([{ base: base(1, 3), backups: [], lastCommitAt: null, gap: null }]);
    expect(lineages[0]?.ranges[0]).toMatchObject({
      from: '2026-01-01T00:00:59.500Z',
      to: '2026-01-01T00:00:59.500Z',
      everyCommit: false,
    });
  });

  it('names gaps between iterations, and tells lineages apart', () => {
    const { lineages } = layOutTimeline([
      { base: base(1, 3), backups: ['a'], lastCommitAt: T + 70_000, gap: null },
      { base: base(2, 4), backups: ['b'], lastCommitAt: null, gap: 'the store did not answer' },
      { base: base(3, 5, SECOND), backups: ['c'], lastCommitAt: null, gap: 'of no meaning in a new lineage' },
    ]);
    expect(lineages.map(({ lineage, gaps }) => ({ lineage, gaps }))).toEqual([
      {
        lineage: FIRST,
        gaps: [
          { from: '2026-01-01T00:01:10.000Z', to: '2026-01-01T00:01:59.500Z', reason: 'the store did not answer' },
        ],
      },
      { lineage: SECOND, gaps: [] },
    ]);
    expect(lineages[1]?.parent).toMatchObject({ lineage: FIRST });
  });
});
