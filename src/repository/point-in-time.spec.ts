import { describe, expect, it } from '@jest/globals';
import { aManifest } from '../../test/support/manifests.js';
import { aWalHead, LINEAGE } from '../../test/support/log-heads.js';
import type { WalRecordHead } from './log-record.js';
import type { Manifest } from './manifest.js';
import { findMark, planPoint } from './point-in-time.js';

const BASE = 'hesocial-backup-20260101-000000';
const LATER = 'hesocial-backup-20260101-000100';
const at = (iteration: number, offset: number, lineage = LINEAGE) => ({ lineage, iteration, offset });
const backup = (name: string, iteration: number, offset: number, changes: Partial<Manifest> = {}): Manifest =>
  aManifest(name, { position: at(iteration, offset), ...changes });
/** Records of 100 bytes each, one second apart. */
const chain = (count: number, changes: Partial<WalRecordHead> = {}): WalRecordHead[] =>
  Array.from({ length: count }, (_, index) => aWalHead({ number: index + 1, from: index * 100, ...changes }));
const plan = (manifests: readonly Manifest[], heads: readonly WalRecordHead[], offset: number, iteration = 3) =>
  planPoint(manifests, heads, at(iteration, offset), null, false);

describe('the commit that a time means', () => {
  const heads = [
    aWalHead({ number: 1, to: 100, marks: [[50, 1_000], [100, 2_000]] }),
    aWalHead({ number: 2, from: 100, marks: [[200, 3_000]] }),
  ]; // prettier-ignore

  it.each([
    { time: 999, offset: undefined },
    { time: 1_000, offset: 50 },
    { time: 1_999, offset: 50 },
    { time: 2_000, offset: 100 },
    { time: 3_001, offset: 200 },
  ])('is the last that was there: $time ms is byte $offset', ({ time, offset }) => {
    expect(findMark(heads, { at: new Date(time) })?.offset).toBe(offset);
  });

  it('is the very last for the newest point', () => {
    expect(findMark(heads, { latest: true })).toMatchObject({ offset: 200, time: 3_000 });
  });

  it('is looked for in the history of a position alone', () => {
    const other = '7f1f7a3e-9a51-4c4e-8f0e-3d9f1c1f0a02';
    expect(findMark(heads, { position: at(3, 120) })?.offset).toBe(100);
    expect(findMark(heads, { position: at(3, 120, other) })).toBeUndefined();
    expect(findMark(heads, { position: at(2, 500) })).toBeUndefined();
  });
});

describe('the way to a point', () => {
  it('begins at its base and goes on record by record', () => {
    const { base, records } = plan([backup(BASE, 3, 0)], chain(5), 250);
    expect(base.name).toBe(BASE);
    expect(records.map(({ number }) => number)).toEqual([1, 2, 3]);
  });

  it('begins at a later backup of the iteration where there is one before the point', () => {
    const { base, records } = plan([backup(LATER, 3, 200), backup(BASE, 3, 0)], chain(5), 500);
    expect(base.name).toBe(LATER);
    expect(records.map(({ number }) => number)).toEqual([3, 4, 5]);
  });

  it('begins at a backup behind the point where none is before it: its log is cut back', () => {
    const { base, records } = plan([backup(LATER, 3, 400)], chain(5), 150);
    expect(base.name).toBe(LATER);
    expect(records).toEqual([]);
  });

  it('takes a record that begins before the end of the backup', () => {
    const { records } = plan([backup(BASE, 3, 150)], chain(5), 300);
    expect(records.map(({ number }) => number)).toEqual([2, 3]);
  });

  it('does not lead through a gap, and says where it is', () => {
    const heads = chain(5).filter(({ number }) => number !== 3);
    expect(() => plan([backup(BASE, 3, 0)], heads, 450)).toThrow('gap between byte 200 and record 4');
    expect(plan([backup(BASE, 3, 0)], heads, 200).records).toHaveLength(2);
  });

  it('does not lead beyond what was shipped', () => {
    expect(() => plan([backup(BASE, 3, 0)], chain(2), 250)).toThrow('ends at byte 200');
  });

  it('needs a backup of the same iteration and lineage', () => {
    expect(() => plan([backup(BASE, 2, 0)], chain(2), 100)).toThrow('no backup of iteration 3');
    const elsewhere = aManifest(BASE, { position: at(3, 0, '7f1f7a3e-9a51-4c4e-8f0e-3d9f1c1f0a02') });
    expect(() => plan([elsewhere], chain(2), 100)).toThrow('no backup of iteration 3');
  });

  it('does not begin at the backup of a process that was replaced, although it calls its iteration the same', () => {
    const replaced = backup(LATER, 3, 50, { epoch: 9 });
    expect(plan([replaced, backup(BASE, 3, 0)], chain(2), 100).base.name).toBe(BASE);
    expect(() => plan([replaced], chain(2), 100)).toThrow('no backup of iteration 3');
  });

  it('keeps apart what two processes shipped of an iteration of the same number', () => {
    const other = chain(2, { base: LATER, epoch: 2 }).map((head) => ({ ...head, number: head.number + 5 }));
    const bases = [backup(LATER, 3, 0, { epoch: 2 }), backup(BASE, 3, 0)];
    expect(plan(bases, [...chain(5), ...other], 150)).toMatchObject({ base: { name: LATER } });
    expect(plan(bases, [...chain(5), ...other], 150).records.map(({ number }) => number)).toEqual([6, 7]);
  });
});
