import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { compareBackupNames, formatBackupName, nextBackupName, parseBackupName } from './backup-name.js';

describe('backup names', () => {
  it('are the ones that the older system used', () => {
    expect(parseBackupName('hesocial-production-20250705-120000')).toEqual({
      stem: 'hesocial-production',
      time: new Date('2025-07-05T12:00:00Z'),
      ordinal: 1,
    });
  });

  it.each([
    'repository',
    'x-20251305-120000',
    'x-20250705-126000',
    '-20250705-120000',
    'x-20250705-120000-1',
    'x-20250705',
  ])('%s is not a name', (text) => expect(parseBackupName(text)).toBeUndefined());

  it('survive being written and read', () => {
    const name = fc.record({
      stem: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/),
      time: fc.integer({ min: 0, max: 4_000_000_000 }).map((seconds) => new Date(seconds * 1000)),
      ordinal: fc.integer({ min: 1, max: 120 }),
    });
    fc.assert(fc.property(name, (parts) => expect(parseBackupName(formatBackupName(parts))).toEqual(parts)));
  });

  it('come after every existing one, in the same second and with a clock that is behind', () => {
    const now = new Date('2026-01-01T00:00:00.900Z');
    const first = nextBackupName('a', now, undefined);
    const second = nextBackupName('b', now, first);
    const third = nextBackupName('a', new Date('2025-01-01T00:00:00Z'), second);
    expect([first, second, third].map(formatBackupName)).toEqual([
      'a-20260101-000000',
      'b-20260101-000000-2',
      'a-20260101-000000-3',
    ]);
    expect([third, first, second].toSorted(compareBackupNames)).toEqual([first, second, third]);
  });
});
