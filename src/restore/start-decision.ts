import { comparePositions, type FilePosition } from '../duckdb-format/file-position.js';
import { isOwnBackup, knowsNewest } from '../lineage/known-history.js';
import type { LineageState } from '../lineage/state-file.js';
import type { Manifest } from '../repository/manifest.js';

/** What a start finds at DUCKDB_PATH. */
export type LocalFacts =
  | { readonly kind: 'missing' }
  /** A file that DuckDB cannot open, and why. */
  | { readonly kind: 'unreadable'; readonly why: string }
  | {
      readonly kind: 'database';
      readonly identifier: string;
      readonly position: FilePosition;
      /** When the file or its log was written last. */
      readonly modifiedAt: Date;
      /** The state file, where it is there and belongs to this file. */
      readonly state: LineageState | undefined;
      /** Only without a state: whether every byte equals the newest backup. */
      readonly equalsNewest: boolean;
    };

/** What a backup tells the decision. */
export type NewestBackup = Pick<Manifest, 'name' | 'position' | 'writer' | 'log'> & {
  readonly identifier: string;
  /** The last commit in the log behind it; its own position where there is none. */
  readonly shipped: FilePosition;
};

/** What a start finds in the repository. */
export type RemoteFacts =
  | { readonly kind: 'unreachable'; readonly why: string }
  | { readonly kind: 'empty' }
  | {
      readonly kind: 'backups';
      readonly newest: NewestBackup;
      /** Names of all backups, newest first. */
      readonly names: readonly string[];
    }
  /** The newest backup of the main history has a manifest that cannot be read: what it holds is not known. */
  | { readonly kind: 'damaged'; readonly name: string; readonly why: string }
  | { readonly kind: 'foreign'; readonly name: string; readonly createdAt: Date };

export interface StartPolicy {
  readonly onConflict: 'fail' | 'remote' | 'local';
  readonly allowEmptyStart: boolean;
}

/** What to do, by which row of the table, and why in one sentence. */
export interface StartDecision {
  readonly action: 'create' | 'restore' | 'keep' | 'refuse';
  readonly row: StartRow;
  readonly reason: string;
  /** Name of the backup to restore. */
  readonly backup?: string;
  /** The local file is set aside as unreadable, not as a restore point. */
  readonly quarantine?: boolean;
  /** The repository was not seen: decide again before anything is shipped. */
  readonly undecided?: boolean;
  /** The local history goes on beside the one in the repository, which it supersedes from here on. */
  readonly supersedes?: string;
  /** The local file is exactly this backup, whose history it continues. */
  readonly adopts?: string;
}

export type StartRow =
  | 'nothing-anywhere'
  | 'local-missing'
  | 'local-missing-remote-unreachable'
  | 'local-up-to-date'
  | 'local-behind'
  | 'diverged'
  | 'local-unreadable'
  | 'remote-unreachable'
  | 'remote-empty'
  | 'remote-damaged'
  | 'remote-without-position';

/** The start-up decision: a pure function of what was found. docs/restore.md has the table. */
export function decideStart(local: LocalFacts, remote: RemoteFacts, policy: StartPolicy): StartDecision {
  if (local.kind === 'missing') return decideMissing(remote, policy);
  if (local.kind === 'unreadable') return decideUnreadable(local.why, remote);
  switch (remote.kind) {
    case 'unreachable':
      return {
        action: 'keep',
        row: 'remote-unreachable',
        reason: `the repository cannot be reached (${remote.why}); the local database is used and compared again before anything is shipped`,
        undecided: true,
      };
    case 'empty':
      return { action: 'keep', row: 'remote-empty', reason: 'the repository holds no backup yet' };
    case 'foreign':
      return remote.createdAt > local.modifiedAt
        ? restore(
            'remote-without-position',
            remote.name,
            'it is newer than the local file, and only times can be compared',
          )
        : { action: 'keep', row: 'remote-without-position', reason: `the local file is newer than ${remote.name}` };
    case 'damaged':
      return decideBesideDamage(local.state, remote, policy);
    case 'backups':
      return decideByHistory(local, remote, policy);
  }
}

function decideMissing(remote: RemoteFacts, policy: StartPolicy): StartDecision {
  switch (remote.kind) {
    case 'empty':
      return { action: 'create', row: 'nothing-anywhere', reason: 'there is no database and no backup' };
    case 'backups':
      return restore('local-missing', remote.newest.name, 'there is no local database');
    case 'foreign':
      return restore('local-missing', remote.name, 'there is no local database');
    case 'damaged':
      return refuseDamage(remote, 'there is no local database');
    case 'unreachable':
      return policy.allowEmptyStart
        ? {
            action: 'create',
            row: 'local-missing-remote-unreachable',
            reason: 'the repository cannot be reached and ALLOW_EMPTY_START is set',
            undecided: true,
          }
        : {
            action: 'refuse',
            row: 'local-missing-remote-unreachable',
            reason: `there is no local database and the repository cannot be reached (${remote.why})`,
          };
  }
}

function decideUnreadable(why: string, remote: RemoteFacts): StartDecision {
  const row = 'local-unreadable';
  if (remote.kind === 'backups') {
    return { ...restore(row, remote.newest.name, `the local file cannot be read (${why})`), quarantine: true };
  }
  if (remote.kind === 'foreign') {
    return { ...restore(row, remote.name, `the local file cannot be read (${why})`), quarantine: true };
  }
  if (remote.kind === 'damaged') return refuseDamage(remote, `the local file cannot be read (${why})`);
  const missing =
    remote.kind === 'empty' ? 'the repository holds no backup' : `the repository cannot be reached (${remote.why})`;
  return { action: 'refuse', row, reason: `the local file cannot be read (${why}) and ${missing}` };
}

type Damaged = Extract<RemoteFacts, { kind: 'damaged' }>;

/** An older backup is never restored in silence in place of the newest one. */
function refuseDamage({ name, why }: Damaged, reason: string): StartDecision {
  return {
    action: 'refuse',
    row: 'remote-damaged',
    reason: `${reason}, and ${name}, the newest backup, cannot be read (${why}); name the one to restore: eider restore <name>`,
  };
}

/** The state file alone tells whether the local database holds what the damaged backup held. */
function decideBesideDamage(state: LineageState | undefined, remote: Damaged, policy: StartPolicy): StartDecision {
  const { name } = remote;
  if (state !== undefined && !state.fork && isOwnBackup(state, name)) {
    const reason = `the local database is at or ahead of ${name}, whose manifest cannot be read: take a new backup`;
    return { action: 'keep', row: 'local-up-to-date', reason };
  }
  if (policy.onConflict === 'local') {
    const reason = `${name} cannot be read; R2_RESTORE_ON_CONFLICT=local keeps the local database`;
    return { action: 'keep', row: 'remote-damaged', reason, supersedes: name };
  }
  return refuseDamage(remote, `the local database does not know ${name}`);
}

type LocalDatabase = Extract<LocalFacts, { kind: 'database' }>;
type Backups = Extract<RemoteFacts, { kind: 'backups' }>;

function decideByHistory(local: LocalDatabase, remote: Backups, policy: StartPolicy): StartDecision {
  const { newest, names } = remote;
  const { state } = local;
  if (state === undefined) {
    return local.equalsNewest
      ? {
          action: 'keep',
          row: 'local-up-to-date',
          reason: `the local file is ${newest.name}, byte for byte`,
          adopts: newest.name,
        }
      : diverged(newest.name, policy, 'the local file has no state file and differs from the newest backup');
  }
  if (state.fork)
    return diverged(newest.name, policy, 'another process wrote newer backups while this one was running');
  const sameLineage = state.lineage === newest.position.lineage && local.identifier === newest.identifier;
  if (knowsNewest(state, newest, names)) {
    return sameLineage && comparePositions(local.position, newest.shipped) < 0
      ? restore('local-behind', newest.name, 'the local file is older than what was shipped of it')
      : { action: 'keep', row: 'local-up-to-date', reason: `the local database is at or ahead of ${newest.name}` };
  }
  return hasUnsavedChanges(state, local.position)
    ? diverged(
        newest.name,
        policy,
        `both the local database and ${newest.name} have changed since ${state.head ?? 'the beginning'}`,
      )
    : restore(
        'local-behind',
        newest.name,
        'it is newer, and the local database has no changes of its own since its last backup',
      );
}

function hasUnsavedChanges(state: LineageState, position: FilePosition): boolean {
  return state.saved === null || comparePositions(position, state.saved) !== 0;
}

function restore(row: StartRow, backup: string, reason: string): StartDecision {
  return { action: 'restore', row, backup, reason: `${reason}: ${backup} is restored` };
}

function diverged(newest: string, policy: StartPolicy, why: string): StartDecision {
  switch (policy.onConflict) {
    case 'remote':
      return restore('diverged', newest, `${why}; R2_RESTORE_ON_CONFLICT=remote`);
    case 'local':
      return {
        action: 'keep',
        row: 'diverged',
        reason: `${why}; R2_RESTORE_ON_CONFLICT=local keeps the local database`,
        supersedes: newest,
      };
    case 'fail':
      return { action: 'refuse', row: 'diverged', reason: why };
  }
}
