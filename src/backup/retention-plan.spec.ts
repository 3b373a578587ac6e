import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { aManifest } from '../../test/support/manifests.js';
import { formatBackupName } from '../repository/backup-name.js';
import { type Manifest, objectsOf } from '../repository/manifest.js';
import { planRetention, type RetentionCandidate, type RetentionRules } from './retention-plan.js';

const DAY = 86_400_000;
const NOW = new Date('2026-03-01T00:00:00Z');
const RULES: RetentionRules = { keepMs: 30 * DAY, keepAllMs: 30 * DAY, graceMs: DAY };

const nameOf = (ageDays: number): string =>
  formatBackupName({ stem: 'hesocial-backup', time: new Date(NOW.getTime() - ageDays * DAY), ordinal: 1 });
const extentOf = (id: string): string => `extents/${id.repeat(64).slice(0, 64)}.jsonl.zst`;

interface Sketch {
  readonly age: number;
  readonly fork?: boolean;
  readonly pinned?: boolean;
  readonly label?: string | null;
  /** Ages of the backups whose packs this one needs. */
  readonly needs?: readonly number[];
  readonly extents?: readonly string[];
}

/** A backup so many days old. */
const candidate = ({
  age,
  fork = false,
  pinned = false,
  label = null,
  needs = [],
  extents = [],
}: Sketch): RetentionCandidate => {
  const packs = [age, ...needs].map((days) => ({ key: `${nameOf(days)}.duckdb.zst`, length: 100 }));
  const manifest = aManifest(nameOf(age), {
    fork,
    packs,
    extents: extents.map((id) => ({ key: extentOf(id), sha256: 'b'.repeat(64), first: 0, count: 1 })),
  });
  return { manifest, pinned, label };
};
const plan = (sketches: readonly Sketch[], rules: RetentionRules = RULES) =>
  planRetention(sketches.map(candidate), [], [], rules, NOW);
const reasons = (sketches: readonly Sketch[], rules?: RetentionRules) =>
  plan(sketches, rules).backups.map(({ reason }) => reason);

describe('retention', () => {
  it('of nothing removes nothing', () => {
    expect(planRetention([], [], [], RULES, NOW)).toEqual({ backups: [], remains: [], extents: [], needed: new Set() });
  });

  it('removes what is older than it was told, and keeps what is exactly as old', () => {
    expect(reasons([{ age: 0 }, { age: 30 }, { age: 30.001 }, { age: 90 }])).toEqual([
      'newest',
      'young',
      'expired',
      'expired',
    ]);
  });

  it.each([
    ['named by a clock that ran ahead, by the time in its manifest', { age: -10, createdDaysAgo: 40 }, false],
    ['made while the clock stood in the past, by its name', { age: 5, createdDaysAgo: 20_000 }, true],
    ['made as both say', { age: 40, createdDaysAgo: 40 }, false],
  ])('judges the age of a backup that was %s', (_, { age, createdDaysAgo }, keep) => {
    const named = candidate({ age });
    const createdAt = new Date(NOW.getTime() - createdDaysAgo * 86_400_000).toISOString();
    const manifest: Manifest = { ...named.manifest, createdAt };
    const plan = planRetention([candidate({ age: -11 }), { ...named, manifest }], [], [], RULES, NOW);
    expect(plan.backups[1]?.keep).toBe(keep);
  });

  it('keeps the newest of each day behind the time for which it keeps all', () => {
    const rules = { ...RULES, keepAllMs: 2 * DAY };
    const sketches = [0, 1.9, 2, 2.1, 2.2, 2.9, 3.5, 29.6, 30, 30.1].map((age) => ({ age }));
    // NOW is midnight: ages 2.1 to 2.9 are of one day.
    expect(reasons(sketches, rules)).toEqual([
      'newest',
      'young',
      'young',
      'daily',
      'thinned',
      'thinned',
      'daily',
      'daily',
      'thinned',
      'expired',
    ]);
  });

  it('takes forks and backups that lack an object for none of a day', () => {
    const rules = { ...RULES, keepAllMs: DAY };
    const [newest, fork, broken, good, older] = [
      { age: 0 },
      { age: 2.1, fork: true },
      { age: 2.2 },
      { age: 2.3 },
      { age: 2.4 },
    ].map(candidate);
    const all = [newest!, fork!, { ...broken!, incomplete: true }, good!, older!];
    expect(planRetention(all, [], [], rules, NOW).backups.map(({ reason }) => reason)).toEqual([
      'newest',
      'daily',
      'thinned',
      'daily',
      'thinned',
    ]);
  });

  it('never removes the newest backup, however old', () => {
    expect(reasons([{ age: 400 }, { age: 500 }])).toEqual(['newest', 'expired']);
  });

  it('never removes the newest backup of the main history, whatever forks came after it', () => {
    const sketches = [{ age: 100, fork: true }, { age: 200, fork: true }, { age: 300 }, { age: 400 }];
    expect(reasons(sketches)).toEqual(['newest', 'expired', 'newest', 'expired']);
  });

  it('never removes the newest backup that is whole, behind those that lack an object', () => {
    const [first, ...rest] = [{ age: 100 }, { age: 200 }, { age: 300 }, { age: 400 }].map(candidate);
    const all = [...(first === undefined ? [] : [{ ...first, incomplete: true }]), ...rest];
    const { backups } = planRetention(all, [], [], RULES, NOW);
    expect(backups.map(({ reason }) => reason)).toEqual(['newest', 'newest', 'expired', 'expired']);
  });

  it('never removes pinned and labelled ones', () => {
    expect(
      reasons([{ age: 0 }, { age: 100, pinned: true }, { age: 100, label: 'before the gala' }, { age: 100 }]),
    ).toEqual(['newest', 'pinned', 'labelled', 'expired']);
  });

  it('goes by the note, not by the manifest, for pin and label', () => {
    const unpinned = candidate({ age: 100 });
    const manifest: Manifest = { ...unpinned.manifest, pinned: true, label: 'once' };
    expect(planRetention([candidate({ age: 0 }), { ...unpinned, manifest }], [], [], RULES, NOW).backups[1]?.keep).toBe(
      false,
    );
  });

  it('keeps every backup where it is turned off, and still clears remains away', () => {
    const sketches = [{ age: 0 }, { age: 5_000 }];
    const rules = { ...RULES, keepMs: undefined };
    expect(reasons(sketches, rules)).toEqual(['newest', 'retention-off']);
    const old = [{ name: nameOf(10), modifiedAt: new Date(NOW.getTime() - 2 * DAY) }];
    expect(planRetention(sketches.map(candidate), [], old, rules, NOW).remains).toEqual([nameOf(10)]);
  });

  it('tells every object that a backup which stays needs, of removed ones as well', () => {
    const { needed, backups } = plan([
      { age: 0, needs: [50], extents: ['a'] },
      { age: 50, extents: ['c'] },
    ]);
    expect(backups[1]).toMatchObject({ keep: false });
    expect([...needed].toSorted()).toEqual(
      [`${nameOf(0)}.duckdb.zst`, `${nameOf(50)}.duckdb.zst`, extentOf('a')].toSorted(),
    );
  });

  it('removes tables that no backup which stays needs, once no backup under way can', () => {
    const at = (days: number) => new Date(NOW.getTime() - days * DAY);
    const extents = [
      { name: extentOf('a'), modifiedAt: at(50) },
      { name: extentOf('b'), modifiedAt: at(50) },
      { name: extentOf('c'), modifiedAt: at(1.001) },
      { name: extentOf('d'), modifiedAt: at(1) },
    ];
    const backups = [candidate({ age: 0, extents: ['a'] }), candidate({ age: 50, extents: ['b'] })];
    expect(planRetention(backups, extents, [], RULES, NOW).extents).toEqual([extentOf('b'), extentOf('c')]);
  });

  it('removes what an unfinished backup left, once it cannot be under way, and never what is listed', () => {
    const at = (days: number) => new Date(NOW.getTime() - days * DAY);
    const pending = [
      { name: nameOf(3), modifiedAt: at(3) },
      { name: nameOf(0.5), modifiedAt: at(0.5) },
      { name: nameOf(5), modifiedAt: at(5) },
    ];
    expect(planRetention([candidate({ age: 0 }), candidate({ age: 5 })], [], pending, RULES, NOW).remains).toEqual([
      nameOf(3),
    ]);
  });
});

describe('any retention', () => {
  const sketch = fc.record({
    age: fc.integer({ min: 0, max: 120 }),
    fork: fc.boolean(),
    pinned: fc.boolean(),
    label: fc.constantFrom(null, 'kept'),
    needs: fc.array(fc.integer({ min: 0, max: 120 }), { maxLength: 3 }),
    extents: fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 3 }),
  });
  // As the repository lists them: newest first, each name once.
  const history = fc
    .uniqueArray(sketch, { selector: ({ age }) => age, maxLength: 12 })
    .map((all) => all.toSorted((a, b) => a.age - b.age));
  const rules = fc.record({
    keepMs: fc.option(
      fc.integer({ min: 0, max: 100 }).map((days) => days * DAY),
      { nil: undefined },
    ),
    keepAllMs: fc.integer({ min: 0, max: 100 }).map((days) => days * DAY),
    graceMs: fc.constant(DAY),
  });
  const stored = ['a', 'b', 'c', 'd'].map((id) => ({ name: extentOf(id), modifiedAt: new Date(0) }));

  it('leaves a good backup of the main history wherever there was one', () => {
    fc.assert(
      fc.property(history, rules, (sketches, policy) => {
        const { backups } = plan(sketches, policy);
        const keptMain = sketches.filter(({ fork }, index) => !fork && backups[index]?.keep === true);
        expect(keptMain[0]).toBe(sketches.find(({ fork }) => !fork));
      }),
    );
  });

  it('removes only what is old, not the newest, not pinned and not labelled, and not the only one of a day', () => {
    fc.assert(
      fc.property(history, rules, (sketches, policy) => {
        const { backups } = plan(sketches, policy);
        // Their manifests say that they were made 59 days ago, which counts where their names are older.
        const dayOf = (index: number) => Math.floor(-Math.min(59, sketches[index]?.age ?? 0));
        backups.forEach(({ keep, reason }, index) => {
          const { age = 0, pinned, label } = sketches[index] ?? {};
          if (keep) return;
          expect(policy.keepMs).toBeDefined();
          if (reason === 'expired') expect(age * DAY).toBeGreaterThan(policy.keepMs ?? 0);
          else {
            expect(reason).toBe('thinned');
            expect(age * DAY).toBeGreaterThan(policy.keepAllMs);
            expect(backups.some((other, at) => other.keep && at !== index && dayOf(at) === dayOf(index))).toBe(true);
          }
          expect([index, pinned, label]).toEqual([expect.any(Number), false, null]);
          expect(index).toBeGreaterThan(0);
        });
      }),
    );
  });

  it('removes nothing that a backup which stays reads', () => {
    fc.assert(
      fc.property(history, rules, (sketches, policy) => {
        const candidates = sketches.map(candidate);
        const { backups, extents, needed } = planRetention(candidates, stored, [], policy, NOW);
        const read = candidates
          .filter((_, index) => backups[index]?.keep)
          .flatMap(({ manifest }) => objectsOf(manifest));
        expect(new Set(read)).toEqual(needed);
        expect(extents.filter((key) => needed.has(key))).toEqual([]);
      }),
    );
  });

  it('changes nothing more when it is run again after what it planned was done', () => {
    fc.assert(
      fc.property(history, rules, (sketches, policy) => {
        const first = plan(sketches, policy).backups;
        const left = sketches.filter((_, index) => first[index]?.keep);
        expect(plan(left, policy).backups.every(({ keep }) => keep)).toBe(true);
      }),
    );
  });
});
