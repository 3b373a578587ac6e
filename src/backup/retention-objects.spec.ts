import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { aManifest } from '../../test/support/manifests.js';
import { extentKey, holdKey, manifestKey, noteKey, pendingKey } from '../repository/keys.js';
import type { Manifest } from '../repository/manifest.js';
import type { Reservation } from '../repository/reservation.js';
import type { Inventory } from './retention-inventory.js';
import { decideObjects, type ObjectDecision, unmarkedNames } from './retention-objects.js';
import type { RetentionDecision } from './retention-plan.js';

const HOUR = 3_600_000;
const NOW = new Date('2026-03-01T00:00:00Z');
const GRACE_START = new Date(NOW.getTime() - 24 * HOUR);

const nameOf = (id: number): string => `hesocial-backup-20260101-0000${String(id).padStart(2, '0')}`;
const packOf = (id: number): string => `${nameOf(id)}.duckdb.zst`;
const tableOf = (id: number): string => extentKey(String(id % 10).repeat(64), false);
const ago = (hours: number): Date => new Date(NOW.getTime() - hours * HOUR);

/** A repository in the making: every object is 1,000 hours old unless it is said otherwise. */
class Sketch {
  readonly objects = new Map<string, { key: string; size: number; modifiedAt: Date }>();
  readonly manifests: Manifest[] = [];
  readonly markers = new Map<string, { modifiedAt: Date; reservation: Reservation | undefined }>();
  readonly holds = new Map();
  readonly decisions: RetentionDecision[] = [];

  object(key: string, hours = 1_000): this {
    this.objects.set(key, { key, size: 1, modifiedAt: ago(hours) });
    return this;
  }

  /** A backup that is listed, with a pack and a table of its own, and what it needs of others. */
  backup(id: number, { keep = true, needs = [] as number[] } = {}): this {
    const packs = [id, ...needs].map((other) => ({ key: packOf(other), length: 1 }));
    const extents = [{ key: tableOf(id), sha256: 'a'.repeat(64), first: 0, count: 1 }];
    this.manifests.push(aManifest(nameOf(id), { packs, extents }));
    this.decisions.push({ name: nameOf(id), keep, reason: keep ? 'young' : 'expired' });
    for (const key of [manifestKey(nameOf(id)), packOf(id), tableOf(id)]) this.object(key);
    return this;
  }

  marker(id: number, hours: number, reservation?: Partial<Reservation>): this {
    const name = nameOf(id);
    this.object(pendingKey(name), hours);
    const said = reservation === undefined ? undefined : { name, ...reservation };
    this.markers.set(name, { modifiedAt: ago(hours), reservation: said });
    return this;
  }

  /** A backup that was removed so many hours ago, with its pack and its table. */
  retired(id: number, hours: number, needs: number[] = []): this {
    const objects = [packOf(id), tableOf(id), ...needs.map(packOf)];
    return this.marker(id, hours, { retired: true, objects }).object(packOf(id)).object(tableOf(id));
  }

  hold(id: number, hours: number): this {
    const key = holdKey(`0000000${id}-0000-4000-8000-000000000000`);
    this.object(key, hours);
    if (hours <= 24) this.holds.set(key, { backup: nameOf(id) });
    return this;
  }

  get inventory(): Inventory {
    const { objects, manifests, markers, holds } = this;
    return { objects, manifests, markers, holds, notes: new Map(), log: { horizon: 7, bases: new Set() } };
  }

  decide(): ObjectDecision[] {
    return decideObjects(this.inventory, this.decisions, GRACE_START, NOW);
  }

  of(key: string): string {
    const found = this.decide().find((decision) => decision.key === key);
    return `${found?.action} ${found?.reason}${found?.for === undefined ? '' : ` ${found.for}`}`;
  }
}

describe('what a backup that stays needs', () => {
  it('stays, of removed backups as well, with the marker of each', () => {
    const sketch = new Sketch().backup(1, { needs: [2] }).retired(2, 100);
    expect(sketch.of(packOf(1))).toBe(`keep needed ${nameOf(1)}`);
    expect(sketch.of(packOf(2))).toBe(`keep needed ${nameOf(1)}`);
    expect(sketch.of(pendingKey(nameOf(2)))).toBe(`keep marks ${nameOf(2)}`);
    expect(sketch.of(tableOf(2))).toBe('delete unneeded');
    expect(sketch.of(manifestKey(nameOf(1)))).toBe(`keep young ${nameOf(1)}`);
  });
});

describe('what a backup that goes needs', () => {
  it('stays in the run that removes its manifest', () => {
    const sketch = new Sketch()
      .backup(1)
      .backup(2, { keep: false, needs: [3] })
      .marker(3, 100)
      .object(packOf(3));
    expect(sketch.of(manifestKey(nameOf(2)))).toBe(`delete expired ${nameOf(2)}`);
    for (const key of [packOf(2), tableOf(2), packOf(3)]) expect(sketch.of(key)).toBe(`keep grace ${nameOf(2)}`);
  });

  it.each([
    ['a moment less than a day', 24, true],
    ['more than a day', 24.001, false],
  ])('stays for %s after that', (_, hours, stays) => {
    const sketch = new Sketch().backup(1).retired(2, hours, [3]).marker(3, 100).object(packOf(3));
    for (const key of [packOf(2), tableOf(2), packOf(3), pendingKey(nameOf(2))]) {
      expect(sketch.of(key)).toMatch(stays ? /^keep/ : /^delete/);
    }
  });

  it('stays longer while somebody reads it, or builds on it', () => {
    const held = new Sketch().backup(1).retired(2, 100, [3]).marker(3, 200).object(packOf(3)).hold(2, 24);
    expect(held.of(packOf(2))).toBe(`keep held ${nameOf(2)}`);
    expect(held.of(packOf(3))).toBe(`keep held ${nameOf(2)}`);
    expect(held.of(pendingKey(nameOf(2)))).toBe(`keep held ${nameOf(2)}`);
    const built = new Sketch()
      .backup(1)
      .retired(2, 100)
      .marker(4, 1, { base: nameOf(2) });
    expect(built.of(packOf(2))).toBe(`keep in-use ${nameOf(2)}`);
    expect(built.of(tableOf(2))).toBe(`keep in-use ${nameOf(2)}`);
    expect(
      new Sketch()
        .backup(1)
        .retired(2, 100)
        .marker(4, 25, { base: nameOf(2) })
        .of(packOf(2)),
    ).toMatch(/^delete/);
  });

  it('keeps everything where nobody knows what it is, for a day', () => {
    const sketch = (hours: number): Sketch =>
      new Sketch().backup(1).marker(2, hours, { retired: true }).object(tableOf(5)).marker(6, 100).object(packOf(6));
    for (const key of [tableOf(5), packOf(6), pendingKey(nameOf(6))]) {
      expect(sketch(23).of(key)).toBe(`keep uncertain ${nameOf(2)}`);
      expect(sketch(25).of(key)).toMatch(/^delete/);
    }
  });
});

describe('what belongs to no backup', () => {
  it.each([
    [
      'a backup under way',
      new Sketch().marker(2, 23, {}).object(packOf(2), 1),
      packOf(2),
      `keep under-way ${nameOf(2)}`,
    ],
    ['one that was cut off', new Sketch().marker(2, 25).object(packOf(2)), packOf(2), `delete remains ${nameOf(2)}`],
    ['its marker', new Sketch().marker(2, 25).object(packOf(2)), pendingKey(nameOf(2)), `delete remains ${nameOf(2)}`],
    ['a young table', new Sketch().object(tableOf(2), 24), tableOf(2), 'keep young'],
    ['an old table', new Sketch().object(tableOf(2), 24.01), tableOf(2), 'delete unneeded'],
    ['a hold', new Sketch().hold(2, 24), holdKey('00000002-0000-4000-8000-000000000000'), `keep hold ${nameOf(2)}`],
    ['one that ended', new Sketch().hold(2, 24.01), holdKey('00000002-0000-4000-8000-000000000000'), 'delete expired'],
    [
      'a note of no backup',
      new Sketch().object(noteKey(nameOf(2))),
      noteKey(nameOf(2)),
      `delete left-over ${nameOf(2)}`,
    ],
    ['a young one', new Sketch().object(noteKey(nameOf(2)), 1), noteKey(nameOf(2)), `keep left-over ${nameOf(2)}`],
    [
      'a marker of a backup',
      new Sketch().backup(1).marker(1, 25),
      pendingKey(nameOf(1)),
      `delete left-over ${nameOf(1)}`,
    ],
    ['a file by hand', new Sketch().object('old.duckdb.gz'), 'old.duckdb.gz', 'keep by-hand'],
    ['one with a name like ours', new Sketch().object(packOf(2)), packOf(2), 'keep by-hand'],
    ['a record', new Sketch().object('log/000000000007'), 'log/000000000007', 'keep log'],
    ['a record from before', new Sketch().object('log/000000000006'), 'log/000000000006', 'delete log'],
    ['a payload from before', new Sketch().object('log/000000000006-x.zst'), 'log/000000000006-x.zst', 'delete log'],
    ['something in the log', new Sketch().object('log/readme'), 'log/readme', 'keep unknown'],
    ['its own record', new Sketch().object('repository.json'), 'repository.json', 'keep repository'],
    ['anything else', new Sketch().object('notes.txt').object('a/b'), 'a/b', 'keep unknown'],
  ])('%s', (_, sketch, key, expected) => {
    expect(sketch.of(key)).toBe(expected);
  });

  it('keeps the marker of a name while anything of that name stays', () => {
    const sketch = new Sketch()
      .backup(1, { needs: [2] })
      .marker(2, 100)
      .object(packOf(2))
      .object(`${nameOf(2)}.duckdb.wal.zst`);
    expect(sketch.of(`${nameOf(2)}.duckdb.wal.zst`)).toMatch(/^delete/);
    expect(sketch.of(pendingKey(nameOf(2)))).toBe(`keep marks ${nameOf(2)}`);
  });

  it('finds packs that are needed and that nothing marks as such', () => {
    const sketch = new Sketch()
      .backup(1, { needs: [2, 3] })
      .object(packOf(2))
      .retired(3, 100);
    expect(unmarkedNames(sketch.inventory, sketch.decide())).toEqual([nameOf(2)]);
  });
});

describe('any repository', () => {
  const part = fc.record({
    kind: fc.constantFrom('stays', 'goes', 'retired', 'cut-off'),
    needs: fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 3 }),
    hours: fc.integer({ min: 0, max: 60 }),
    held: fc.option(fc.integer({ min: 0, max: 48 })),
    base: fc.option(fc.integer({ min: 0, max: 9 })),
  });

  it('loses nothing that a backup, a reader, or a backup under way can still need, and explains everything', () => {
    fc.assert(
      fc.property(fc.array(part, { maxLength: 10 }), (parts) => {
        const sketch = new Sketch();
        const live = new Set<string>();
        parts.forEach(({ kind, needs, hours, held, base }, id) => {
          if (kind === 'stays' || kind === 'goes') sketch.backup(id, { keep: kind === 'stays', needs });
          if (kind === 'retired') sketch.retired(id, hours, needs);
          if (kind === 'cut-off') {
            sketch.marker(id, hours, hours > 24 ? undefined : { base: nameOf(base ?? id) }).object(packOf(id), hours);
            if (hours <= 24) live.add(packOf(id)).add(nameOf(base ?? id));
          } else if (held !== null) {
            sketch.hold(id, held);
            if (held <= 24) live.add(nameOf(id));
          }
        });
        parts.forEach(({ kind, hours, needs }, id) => {
          const counts =
            kind === 'stays' || kind === 'goes' || (kind === 'retired' && (hours <= 24 || live.has(nameOf(id))));
          if (kind === 'cut-off' && live.has(nameOf(id))) live.add(packOf(id));
          if (counts) for (const key of [packOf(id), tableOf(id), ...needs.map(packOf)]) live.add(key);
        });
        const decisions = sketch.decide();
        expect(decisions.map(({ key }) => key).toSorted()).toEqual([...sketch.objects.keys()].toSorted());
        for (const { key, action } of decisions) if (action === 'delete') expect(live).not.toContain(key);
        // And the other way round: what was of a backup, and nobody can need, goes.
        for (const { key, action, reason } of decisions) {
          if (live.has(key) || !/^(extents|hesocial)/.test(key) || key.endsWith('.json')) continue;
          expect([key, action, reason]).toEqual([key, 'delete', expect.any(String)]);
        }
      }),
    );
  });
});
