import { describe, expect, it } from '@jest/globals';
import { aManifest } from '../../test/support/manifests.js';
import { aWalHead, LINEAGE } from '../../test/support/log-heads.js';
import type { LogHead, WalRecordHead } from './log-record.js';
import type { Manifest } from './manifest.js';
import { type Mark, markAt, marksBehind } from './commit-marks.js';
import { planPoint } from './point-in-time.js';

const BASE = 'hesocial-backup-20260101-000000';
const LATER = 'hesocial-backup-20260101-000100';
const at = (iteration: number, offset: number, lineage = LINEAGE) => ({ lineage, iteration, offset });
const backup = (name: string, iteration: number, offset: number, changes: Partial<Manifest> = {}): Manifest =>
  aManifest(name, { position: at(iteration, offset), ...changes });
/** Records of 100 bytes each, one second apart. */
const chain = (count: number, changes: Partial<WalRecordHead> = {}): WalRecordHead[] =>
  Array.from({ length: count }, (_, index) => aWalHead({ number: index + 1, from: index * 100, ...changes }));
/** The way to a commit of the last of these records that hold it. */
const plan = (manifests: readonly Manifest[], heads: readonly WalRecordHead[], offset: number) => {
  const record = heads.findLast(({ from, to }) => from < offset && offset <= to) ?? heads.at(-1) ?? aWalHead();
  return planPoint(manifests, heads, { record, offset, time: 0 }, false);
};
const offsetOf = (mark: Mark | 'taken-back' | undefined) => (typeof mark === 'object' ? mark.offset : mark);

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
    const mark = marksBehind(heads, at(3, 0)).findLast((each) => each.time <= time);
    expect(mark?.offset).toBe(offset);
  });

  it('is the very last for the newest point', () => {
    expect(marksBehind(heads, at(3, 0)).at(-1)).toMatchObject({ offset: 200, time: 3_000 });
  });

  it('is looked for in the history of a position alone', () => {
    const other = '7f1f7a3e-9a51-4c4e-8f0e-3d9f1c1f0a02';
    expect(markAt(heads, at(3, 120))).toMatchObject({ offset: 120, time: 3_000 });
    expect(markAt(heads, at(3, 201))).toBeUndefined();
    expect(markAt(heads, at(3, 120, other))).toBeUndefined();
    expect(markAt(heads, at(2, 150))).toBeUndefined();
  });

  it('is behind the backup that is gone out from, in the same history', () => {
    expect(marksBehind(heads, at(3, 100)).map(({ offset }) => offset)).toEqual([200]);
    expect(marksBehind(heads, at(4, 0))).toEqual([]);
    expect(marksBehind(heads, at(3, 0, '7f1f7a3e-9a51-4c4e-8f0e-3d9f1c1f0a02'))).toEqual([]);
  });

  it('is none that DuckDB took back, as a backup tells that comes after', () => {
    const { format, nonce, writer, epoch, lineage } = aWalHead();
    const identity = { format, nonce, writer, epoch, lineage, number: 3, at: '2026-01-01T00:00:09.000Z' };
    const backupHead: LogHead = {
      ...identity, kind: 'backup', backup: LATER, position: at(4, 0), gap: null, takenBack: at(3, 150),
    }; // prettier-ignore
    const all = [...heads, backupHead];
    expect(marksBehind(all, at(3, 0)).map(({ offset }) => offset)).toEqual([50, 100, 150]);
    expect(offsetOf(markAt(all, at(3, 150)))).toBe(150);
    expect(markAt(all, at(3, 151))).toBe('taken-back');
    const again = aWalHead({ number: 4, base: LATER, to: 200 });
    expect(markAt([...all, again], at(3, 160))).toMatchObject({ record: { number: 4 } });
  });
});

describe('the way to a point', () => {
  it('begins at its base and goes on record by record', () => {
    const { base, records } = plan([backup(BASE, 3, 0)], chain(5), 250);
    expect(base.name).toBe(BASE);
    expect(records.map(({ number }) => number)).toEqual([1, 2, 3]);
  });

  it('begins at the backup that the records rest on, although a later one of the iteration is there', () => {
    const { base, records } = plan([backup(LATER, 3, 200, { log: 2 }), backup(BASE, 3, 0)], chain(5), 500);
    expect(base.name).toBe(BASE);
    expect(records.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5]);
  });

  it('begins at a later backup of the iteration where that is gone', () => {
    const { base, records } = plan([backup(LATER, 3, 200, { log: 2 })], chain(5), 500);
    expect(base.name).toBe(LATER);
    expect(records.map(({ number }) => number)).toEqual([3, 4, 5]);
  });

  it('begins at a backup behind the point where none is before it: its log is cut back', () => {
    const { base, records } = plan([backup(LATER, 3, 400, { log: 4 })], chain(5), 150);
    expect(base.name).toBe(LATER);
    expect(records).toEqual([]);
  });

  it('takes records whose commits the backup has: they can hold blocks that it does not have', () => {
    const { records } = plan([backup(BASE, 3, 150)], chain(5), 300);
    expect(records.map(({ number }) => number)).toEqual([1, 2, 3]);
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
