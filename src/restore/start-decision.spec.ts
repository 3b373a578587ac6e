import { describe, expect, it } from '@jest/globals';
import type { FilePosition } from '../duckdb-format/file-position.js';
import { newLineage } from '../lineage/lineage.js';
import type { LineageState } from '../lineage/state-file.js';
import { decideStart, type LocalFacts, type RemoteFacts, type StartPolicy } from './start-decision.js';

const ID = '00112233445566778899aabbccddeeff';
const NEWEST = 'hesocial-backup-20260102-000000';
const OLDER = 'hesocial-backup-20260101-000000';
const base = newLineage(ID);
const OTHER_WRITER = '3e1a9a0c-7d1f-4b33-8f53-1f1a7f4f2c03';
const policy: StartPolicy = { onConflict: 'fail', allowEmptyStart: false };

const at = (iteration: number, offset = 0) => ({ lineage: base.lineage, iteration, offset });
const state = (changes: Partial<LineageState> = {}): LineageState => ({
  ...base,
  head: NEWEST,
  saved: at(5),
  ...changes,
});
const local = (
  iteration: number,
  offset: number,
  own: LineageState | undefined,
  changes: Partial<Extract<LocalFacts, { kind: 'database' }>> = {},
): LocalFacts => ({
  kind: 'database',
  identifier: ID,
  position: { iteration, offset },
  modifiedAt: new Date('2026-01-01T12:00:00Z'),
  state: own,
  equalsNewest: false,
  ...changes,
});
const remote = (
  changes: {
    lineage?: string;
    writer?: string;
    names?: string[];
    name?: string;
    shipped?: FilePosition;
    log?: number;
  } = {},
): RemoteFacts => ({
  kind: 'backups',
  newest: {
    name: changes.name ?? NEWEST,
    position: { ...at(5), lineage: changes.lineage ?? base.lineage },
    writer: changes.writer ?? OTHER_WRITER,
    log: changes.log ?? 0,
    identifier: ID,
    shipped: changes.shipped ?? at(5),
  },
  names: changes.names ?? [NEWEST, OLDER],
});
const damaged: RemoteFacts = { kind: 'damaged', name: NEWEST, why: 'wrong checksum' };
const missing: LocalFacts = { kind: 'missing' };
const unreadable: LocalFacts = { kind: 'unreadable', why: 'bad checksum' };
const empty: RemoteFacts = { kind: 'empty' };
const unreachable: RemoteFacts = { kind: 'unreachable', why: 'ECONNREFUSED' };
const foreign = (time: string): RemoteFacts => ({ kind: 'foreign', name: 'by-hand.duckdb', createdAt: new Date(time) });

describe('the start-up decision', () => {
  it.each<[string, LocalFacts, RemoteFacts, Partial<StartPolicy>, object]>([
    ['refuses to pass over a damaged newest backup', missing, damaged, {}, { action: 'refuse', row: 'remote-damaged' }],
    ['refuses beside a damaged file, too', unreadable, damaged, {}, { action: 'refuse', row: 'remote-damaged' }],
    ['keeps what it knows to hold the damaged backup', local(5, 0, state()), damaged, {}, { action: 'keep' }],
    [
      'keeps what was about to write the damaged backup',
      local(5, 0, state({ head: OLDER, committing: NEWEST })),
      damaged,
      {},
      { action: 'keep', row: 'local-up-to-date' },
    ],
    [
      'refuses where it does not know the damaged backup',
      local(5, 0, state({ head: OLDER })),
      damaged,
      {},
      { action: 'refuse', row: 'remote-damaged' },
    ],
    [
      'refuses a fork beside a damaged backup',
      local(5, 0, state({ fork: true })),
      damaged,
      {},
      { action: 'refuse', row: 'remote-damaged' },
    ],
    [
      'keeps an unknown history beside a damaged backup when told to',
      local(5, 0, undefined),
      damaged,
      { onConflict: 'local' },
      { action: 'keep', supersedes: NEWEST },
    ],
    ['creates where there is nothing anywhere', missing, empty, {}, { action: 'create' }],
    ['restores the newest backup where there is no file', missing, remote(), {}, { action: 'restore', backup: NEWEST }],
    [
      'restores a file by hand where there is no other',
      missing,
      foreign('2020-01-01'),
      {},
      { action: 'restore', backup: 'by-hand.duckdb' },
    ],
    [
      'refuses to start empty while the store is down',
      missing,
      unreachable,
      {},
      { action: 'refuse', row: 'local-missing-remote-unreachable' },
    ],
    [
      'starts empty when that is allowed, and looks again later',
      missing,
      unreachable,
      { allowEmptyStart: true },
      { action: 'create', undecided: true },
    ],
    [
      'keeps a file that is where its last backup was',
      local(5, 0, state()),
      remote(),
      {},
      { action: 'keep', row: 'local-up-to-date' },
    ],
    [
      'keeps a file that is ahead in the log',
      local(5, 900, state()),
      remote(),
      {},
      { action: 'keep', row: 'local-up-to-date' },
    ],
    [
      'keeps a file that is ahead by checkpoints',
      local(7, 0, state()),
      remote(),
      {},
      { action: 'keep', row: 'local-up-to-date' },
    ],
    [
      'keeps after a crash between a backup and its state file',
      local(5, 0, state({ head: OLDER, saved: at(4) })),
      remote({ writer: base.writer }),
      {},
      { action: 'keep', row: 'local-up-to-date' },
    ],
    [
      'keeps when the backup known last was removed',
      local(5, 0, state()),
      remote({ name: OLDER, names: [OLDER] }),
      {},
      { action: 'keep', row: 'local-up-to-date' },
    ],
    [
      'keeps a restored older state over the newer backups that it superseded',
      local(3, 0, state({ lineage: OTHER_WRITER, saved: null })),
      remote(),
      {},
      { action: 'keep', row: 'local-up-to-date' },
    ],
    [
      'restores over a file that is older than its own backup',
      local(4, 10, state()),
      remote(),
      {},
      { action: 'restore', row: 'local-behind', backup: NEWEST },
    ],
    [
      'restores over an unchanged file when another machine went on',
      local(4, 0, state({ head: OLDER, saved: at(4) })),
      remote(),
      {},
      { action: 'restore', row: 'local-behind', backup: NEWEST },
    ],
    [
      'restores over an unchanged file when another machine began a new lineage',
      local(4, 0, state({ head: OLDER, saved: at(4) })),
      remote({ lineage: OTHER_WRITER }),
      {},
      { action: 'restore', row: 'local-behind' },
    ],
    [
      'refuses when both went on',
      local(4, 77, state({ head: OLDER, saved: at(4) })),
      remote(),
      {},
      { action: 'refuse', row: 'diverged' },
    ],
    [
      'restores when both went on and the remote is preferred',
      local(4, 77, state({ head: OLDER, saved: at(4) })),
      remote(),
      { onConflict: 'remote' },
      { action: 'restore', row: 'diverged', backup: NEWEST },
    ],
    [
      'keeps when both went on and the local one is preferred',
      local(4, 77, state({ head: OLDER, saved: at(4) })),
      remote(),
      { onConflict: 'local' },
      { action: 'keep', row: 'diverged', supersedes: NEWEST },
    ],
    [
      'refuses a database of another repository',
      local(9, 0, state({ head: null, saved: null })),
      remote(),
      {},
      { action: 'refuse', row: 'diverged' },
    ],
    ['refuses a fork', local(9, 0, state({ fork: true })), remote(), {}, { action: 'refuse', row: 'diverged' }],
    [
      'refuses a file without a state that is not the newest backup',
      local(5, 0, undefined),
      remote(),
      {},
      { action: 'refuse', row: 'diverged' },
    ],
    [
      'adopts a file without a state that is the newest backup',
      local(5, 0, undefined, { equalsNewest: true }),
      remote(),
      {},
      { action: 'keep', adopts: NEWEST },
    ],
    [
      'quarantines an unreadable file and restores',
      unreadable,
      remote(),
      {},
      { action: 'restore', quarantine: true, backup: NEWEST },
    ],
    [
      'quarantines an unreadable file for a file by hand',
      unreadable,
      foreign('2020-01-01'),
      {},
      { action: 'restore', quarantine: true },
    ],
    [
      'refuses an unreadable file without any backup',
      unreadable,
      empty,
      {},
      { action: 'refuse', row: 'local-unreadable' },
    ],
    [
      'refuses an unreadable file while the store is down',
      unreadable,
      unreachable,
      {},
      { action: 'refuse', row: 'local-unreadable' },
    ],
    [
      'keeps and serves while the store is down, and looks again later',
      local(5, 0, state()),
      unreachable,
      {},
      { action: 'keep', undecided: true },
    ],
    [
      'keeps where nothing was backed up yet',
      local(5, 0, undefined),
      empty,
      {},
      { action: 'keep', row: 'remote-empty' },
    ],
    [
      'restores a newer file by hand',
      local(5, 0, undefined),
      foreign('2026-01-02'),
      {},
      { action: 'restore', row: 'remote-without-position' },
    ],
    [
      'keeps over an older file by hand',
      local(5, 0, undefined),
      foreign('2026-01-01'),
      {},
      { action: 'keep', row: 'remote-without-position' },
    ],
  ])('%s', (_, localFacts, remoteFacts, changes, expected) => {
    expect(decideStart(localFacts, remoteFacts, { ...policy, ...changes })).toMatchObject(expected);
  });
});
