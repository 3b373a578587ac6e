import { describe, expect, it } from '@jest/globals';
import { knowsNewest } from './known-history.js';
import { newLineage } from './lineage.js';

const FIRST = 'hesocial-backup-20260101-000000';
const SECOND = 'hesocial-backup-20260102-000000';
const THIRD = 'hesocial-manual-20260103-000000';
const OTHER = '3e1a9a0c-7d1f-4b33-8f53-1f1a7f4f2c03';
const state = (head: string | null) => ({ ...newLineage('0'.repeat(32)), head });
const own = state(null);

describe('a history', () => {
  it.each<[string, string | null, string, readonly string[], boolean]>([
    ['its own last backup is the newest', SECOND, SECOND, [SECOND, FIRST], true],
    ['a newer one of another writer is there', FIRST, SECOND, [SECOND, FIRST], false],
    ['it has no backup and there are some', null, FIRST, [FIRST], false],
    ['its last was removed, and what is left is older', THIRD, SECOND, [SECOND, FIRST], true],
    ['its last was removed, and what is left is newer', FIRST, THIRD, [THIRD, SECOND], false],
    ['its last was removed, and the newest is of the same second', FIRST, `${FIRST}-2`, [`${FIRST}-2`], false],
    ['its last was removed, and its name tells no time', 'by-hand.duckdb', FIRST, [FIRST], false],
    ['its last is there, and another was added with an older name', SECOND, FIRST, [SECOND, FIRST], false],
  ])('where %s knows of it: %#', (_, head, newest, names, known) => {
    expect(knowsNewest(state(head), { name: newest, writer: OTHER, log: 0 }, names)).toBe(known);
  });

  it('knows a backup of its own writer although a crash kept it from being recorded', () => {
    expect(knowsNewest(own, { name: FIRST, writer: own.writer, log: 0 }, [FIRST])).toBe(true);
  });

  it.each([
    { log: 6, known: true },
    { log: 7, known: false },
    { log: 0, known: false },
  ])('whose turn began with record 7 knows what a turn before it left: %o', ({ log, known }) => {
    const turned = { ...state(FIRST), turn: 7 };
    expect(knowsNewest(turned, { name: SECOND, writer: OTHER, log }, [SECOND, FIRST])).toBe(known);
  });
});
