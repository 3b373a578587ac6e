import { EiderError } from '../errors/eider-error.js';
import type { Migration } from './migration-files.js';

/** A row of `schema_migrations`. */
export interface AppliedMigration {
  readonly version: number;
  readonly name: string;
  readonly sha256: string;
  readonly backward_compatible: boolean;
}

export interface MigrationPlan {
  /** The newest migration of the database; 0 where there is none. */
  readonly current: number;
  readonly pending: readonly Migration[];
}

/**
 * Compares the files of this release with what the database has had.
 *
 * @param files - by version
 * @param applied - by version
 * @throws EiderError MIGRATION_CHANGED, MIGRATION_INVALID; SCHEMA_NEWER when the database has had migrations that this
 *   release does not know and that are not marked backward compatible
 */
export function planMigrations(files: readonly Migration[], applied: readonly AppliedMigration[]): MigrationPlan {
  const newestKnown = files.at(-1)?.version ?? 0;
  checkUnknown(
    applied.filter(({ version }) => version > newestKnown),
    newestKnown,
  );
  const fileOf = new Map(files.map((file) => [file.version, file]));
  for (const row of applied) if (row.version <= newestKnown) checkKnown(row, fileOf.get(row.version));
  checkSequence(files);
  const had = new Set(applied.map(({ version }) => version));
  return { current: applied.at(-1)?.version ?? 0, pending: files.filter(({ version }) => !had.has(version)) };
}

/** A migration as its file is called, without the suffix. */
export function labelOf({ version, name }: Pick<Migration, 'version' | 'name'>): string {
  return `${numberOf(version)}-${name}`;
}

const numberOf = (version: number): string => String(version).padStart(4, '0');

function checkUnknown(unknown: readonly AppliedMigration[], newestKnown: number): void {
  const blocking = unknown.filter((row) => !row.backward_compatible);
  if (blocking.length === 0) return;
  throw new EiderError(
    'SCHEMA_NEWER',
    `The database has had ${blocking.map(labelOf).join(', ')}; this release knows migrations up to ${numberOf(newestKnown)} and they are not marked backward compatible.`,
  );
}

function checkKnown(row: AppliedMigration, file: Migration | undefined): void {
  if (file === undefined) {
    throw new EiderError('MIGRATION_CHANGED', `Migration ${labelOf(row)} was applied and its file is missing.`);
  }
  if (file.sha256 === row.sha256 && file.name === row.name) return;
  throw new EiderError(
    'MIGRATION_CHANGED',
    `Migration ${labelOf(row)} was applied with SHA-256 ${row.sha256.slice(0, 12)}… and is now ${labelOf(file)} with ${file.sha256.slice(0, 12)}….`,
  );
}

function checkSequence(files: readonly Migration[]): void {
  for (const [index, file] of files.entries()) {
    if (file.version === index + 1) continue;
    throw new EiderError(
      'MIGRATION_INVALID',
      `${labelOf(file)}.sql stands where number ${numberOf(index + 1)} should: each number once, without gaps.`,
    );
  }
}
