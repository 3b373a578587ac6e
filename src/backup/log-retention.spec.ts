import { describe, expect, it } from '@jest/globals';
import { aManifest } from '../../test/support/manifests.js';
import { logWindow } from './log-retention.js';

const NOW = new Date('2026-01-10T00:00:00Z');
const HOUR = 3_600_000;
/** A backup of so many hours ago, behind so many records. */
const backup = (hours: number, log: number, changes: object = {}) =>
  aManifest(`b-${hours}`, { createdAt: new Date(NOW.getTime() - hours * HOUR).toISOString(), log, ...changes });
const windowOf = (hours: number, ...manifests: ReturnType<typeof backup>[]) => {
  const { bases, horizon } = logWindow(manifests, hours * HOUR, NOW);
  return { bases: [...bases], horizon };
};

describe('the window in which every commit can be restored', () => {
  it('rests on the backups in it and on the newest from before it, whose records stay', () => {
    expect(windowOf(24, backup(1, 900), backup(20, 500), backup(30, 300), backup(40, 100))).toEqual({
      bases: ['b-1', 'b-20', 'b-30'],
      horizon: 300,
    });
  });

  it('keeps the whole log where it does not go back so far', () => {
    expect(windowOf(24, backup(1, 900), backup(20, 500))).toEqual({ bases: ['b-1', 'b-20'], horizon: 0 });
  });

  it('does not count forks, and backups of a time when nothing was shipped', () => {
    expect(windowOf(24, backup(1, 900), backup(30, 700, { fork: true }), backup(31, 0), backup(32, 300))).toEqual({
      bases: ['b-1', 'b-32'],
      horizon: 300,
    });
  });

  it('of no hours rests on the newest backup alone', () => {
    expect(windowOf(0, backup(1, 900), backup(2, 500))).toEqual({ bases: ['b-1'], horizon: 900 });
  });
});
