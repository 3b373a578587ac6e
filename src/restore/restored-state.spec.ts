import { describe, expect, it } from '@jest/globals';
import { aManifest } from '../../test/support/manifests.js';
import { knowsNewest } from '../lineage/known-history.js';
import type { FoundBackup } from '../repository/repository.js';
import { stateAfterRestore } from './restored-state.js';

const OLDER = 'hesocial-backup-20260101-000000';
const NEWEST = 'hesocial-backup-20260102-000000';
const file = { identifier: 'f'.repeat(32), position: { iteration: 4, offset: 0 } };
const parent = { lineage: '11111111-1111-4111-8111-111111111111', iteration: 1, offset: 7 };
const manifest = aManifest(NEWEST, { lineageParent: parent, epoch: 6, log: 12 });
const newest: FoundBackup = { kind: 'eider', manifest };
const older: FoundBackup = { kind: 'eider', manifest: aManifest(OLDER, { epoch: 2, log: 5 }) };
const byHand: FoundBackup = {
  kind: 'foreign',
  foreign: { name: 'by-hand.duckdb', encoding: 'plain', size: 1, createdAt: new Date(0) },
};

describe('the state of a restored database', () => {
  it('of the newest backup goes on in its history, saved where the file is now', () => {
    const state = stateAfterRestore(newest, file, NEWEST);
    expect(state).toMatchObject({
      identifier: file.identifier,
      lineage: manifest.position.lineage,
      lineageParent: parent,
      epoch: 6,
      log: 12,
      head: NEWEST,
      saved: { lineage: manifest.position.lineage, iteration: 4, offset: 0 },
      fork: false,
    });
  });

  it('of the newest backup is that of another writer', () => {
    expect(stateAfterRestore(newest, file, NEWEST).writer).not.toBe(manifest.writer);
  });

  it('of an older backup begins a lineage that leaves the old one there', () => {
    const state = stateAfterRestore(older, file, NEWEST);
    expect(state).toMatchObject({
      lineageParent: older.kind === 'eider' ? older.manifest.position : null,
      epoch: 2,
      log: 5,
      head: NEWEST,
      saved: null,
      fork: false,
    });
    expect(state.lineage).not.toBe(manifest.position.lineage);
  });

  it('of a fork begins a lineage, even where it is the newest of all', () => {
    const fork: FoundBackup = { kind: 'eider', manifest: { ...manifest, fork: true } };
    const state = stateAfterRestore(fork, file, NEWEST);
    expect(state.lineage).not.toBe(manifest.position.lineage);
    expect(state).toMatchObject({ lineageParent: manifest.position, fork: false, saved: null });
  });

  it('of a file by hand begins a lineage without a parent', () => {
    expect(stateAfterRestore(byHand, file, NEWEST)).toMatchObject({ lineageParent: null, epoch: 0, head: NEWEST });
    expect(stateAfterRestore(byHand, file, undefined).head).toBeNull();
  });

  it('never repeats a lineage or a writer', () => {
    const states = [older, older, byHand, newest, newest].map((found) => stateAfterRestore(found, file, NEWEST));
    expect(new Set(states.map(({ writer }) => writer)).size).toBe(5);
    expect(new Set(states.slice(0, 3).map(({ lineage }) => lineage)).size).toBe(3);
  });

  it.each([
    ['the newest', newest],
    ['an older backup', older],
    ['a file by hand', byHand],
  ])('of %s takes what the repository holds into account: a start does not restore it again', (_, found) => {
    expect(
      knowsNewest(stateAfterRestore(found, file, NEWEST), { name: NEWEST, writer: manifest.writer, log: 0 }, [
        NEWEST,
        OLDER,
      ]),
    ).toBe(true);
  });
});
