import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isEiderError } from '../errors/eider-error.js';
import type { Migration } from './migration-files.js';
import { type AppliedMigration, labelOf, planMigrations } from './migration-plan.js';

const NAMES = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth'];
const shaOf = (version: number): string => String(version).repeat(64).slice(0, 64);
const file = (version: number, changes: Partial<Migration> = {}): Migration => ({
  version,
  name: NAMES[version - 1] ?? 'other',
  sql: 'SELECT 1',
  sha256: shaOf(version),
  backwardCompatible: false,
  ...changes,
});
const row = (version: number, backward_compatible = false): AppliedMigration => ({
  version,
  name: NAMES[version - 1] ?? 'other',
  sha256: shaOf(version),
  backward_compatible,
});
const files = (count: number) => Array.from({ length: count }, (_, index) => file(index + 1));
const rows = (count: number) => Array.from({ length: count }, (_, index) => row(index + 1));
const codeOf = (action: () => unknown): string => {
  try {
    action();
    return 'none';
  } catch (error) {
    return isEiderError(error) ? `${error.code}: ${error.message}` : String(error);
  }
};

describe('the plan of migrations', () => {
  it('is what the database has not had, in order, for any two releases', () => {
    fc.assert(
      fc.property(fc.nat(6), fc.nat(6), (known, had) => {
        fc.pre(had <= known);
        const plan = planMigrations(files(known), rows(had));
        expect(plan.current).toBe(had);
        expect(plan.pending.map(({ version }) => version)).toEqual(
          files(known)
            .slice(had)
            .map(({ version }) => version),
        );
      }),
    );
  });

  it('fills in what was left out below the newest', () => {
    expect(planMigrations(files(3), [row(1), row(3)]).pending.map(({ version }) => version)).toEqual([2]);
  });

  it('accepts a newer database when every unknown migration is marked, and runs nothing', () => {
    expect(planMigrations(files(2), [...rows(2), row(3, true), row(4, true)])).toEqual({ current: 4, pending: [] });
  });

  it('names every unknown migration that is not marked', () => {
    expect(codeOf(() => planMigrations(files(2), [...rows(2), row(3), row(4, true), row(5)]))).toMatch(
      /^SCHEMA_NEWER: The database has had 0003-third, 0005-fifth; this release knows migrations up to 0002 /,
    );
  });

  it('of no files refuses a database that has had some', () => {
    expect(codeOf(() => planMigrations([], rows(1)))).toMatch(/^SCHEMA_NEWER/);
    expect(planMigrations([], [])).toEqual({ current: 0, pending: [] });
  });

  it.each<[string, Partial<Migration>]>([
    ['content', { sha256: shaOf(9) }],
    ['name', { name: 'renamed' }],
  ])('refuses a file whose %s changed after it was applied', (_, changes) => {
    expect(codeOf(() => planMigrations([file(1, changes), file(2)], rows(2)))).toMatch(
      /^MIGRATION_CHANGED: Migration 0001-first was applied/,
    );
  });

  it('refuses an applied one whose file is missing below the newest', () => {
    expect(codeOf(() => planMigrations([file(1), file(3)], rows(3)))).toBe(
      'MIGRATION_CHANGED: Migration 0002-second was applied and its file is missing.',
    );
  });

  it.each([
    ['a gap', [1, 3]],
    ['a number twice', [1, 2, 2]],
    ['a start at two', [2]],
  ])('refuses files with %s', (_, versions) => {
    expect(
      codeOf(() =>
        planMigrations(
          versions.map((version) => file(version)),
          [],
        ),
      ),
    ).toMatch(/^MIGRATION_INVALID/);
  });

  it('tells a newer database before anything about the files', () => {
    expect(codeOf(() => planMigrations([file(1, { sha256: shaOf(9) })], rows(2)))).toMatch(/^SCHEMA_NEWER/);
  });

  it('calls a migration as its file is called', () => {
    expect(labelOf(file(1))).toBe('0001-first');
    expect(labelOf({ version: 12_345, name: 'x' })).toBe('12345-x');
  });
});
