import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { aManifest } from '../../test/support/manifests.js';
import { formatBackupName } from '../repository/backup-name.js';
import type { Manifest } from '../repository/manifest.js';
import type { Verdict } from '../repository/note.js';
import { decideBackups, type RetentionCandidate, type RetentionRules } from './retention-plan.js';

const DAY = 86_400_000;
const NOW = new Date('2026-03-01T00:00:00Z');
const RULES: RetentionRules = { keepMs: 30 * DAY, keepAllMs: 30 * DAY };

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
  decideBackups(sketches.map(candidate), rules, NOW);
const reasons = (sketches: readonly Sketch[], rules?: RetentionRules) =>
  plan(sketches, rules).map(({ reason }) => reason);

describe('retention', () => {
  it('of nothing removes nothing', () => {
    expect(decideBackups([], RULES, NOW)).toEqual([]);
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
    const decided = decideBackups([candidate({ age: -11 }), { ...named, manifest }], RULES, NOW);
    expect(decided[1]?.keep).toBe(keep);
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
    expect(decideBackups(all, rules, NOW).map(({ reason }) => reason)).toEqual([
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
    expect(decideBackups(all, RULES, NOW).map(({ reason }) => reason)).toEqual([
      'newest',
      'newest',
      'expired',
      'expired',
    ]);
  });

  it('never removes pinned and labelled ones', () => {
    expect(
      reasons([{ age: 0 }, { age: 100, pinned: true }, { age: 100, label: 'before the gala' }, { age: 100 }]),
    ).toEqual(['newest', 'pinned', 'labelled', 'expired']);
  });

  it('goes by the note, not by the manifest, for pin and label', () => {
    const unpinned = candidate({ age: 100 });
    const manifest: Manifest = { ...unpinned.manifest, pinned: true, label: 'once' };
    expect(decideBackups([candidate({ age: 0 }), { ...unpinned, manifest }], RULES, NOW)[1]?.keep).toBe(false);
  });

  it('keeps every backup where it is turned off', () => {
    expect(reasons([{ age: 0 }, { age: 5_000 }], { ...RULES, keepMs: undefined })).toEqual(['newest', 'retention-off']);
  });

  describe('of backups that were checked', () => {
    const verdict = (mode: Verdict['mode'], ok = true): Verdict => ({
      at: NOW.toISOString(),
      mode,
      ok,
      why: ok ? null : 'its pack is cut',
    });
    const decided = (verdicts: readonly (Verdict | null)[], forks: readonly number[] = []) =>
      decideBackups(
        verdicts.map((verified, index) => ({
          ...candidate({ age: 100 + index, fork: forks.includes(index) }),
          verified,
        })),
        RULES,
        NOW,
      ).map(({ reason }) => reason);

    it('never removes the newest one that was restored on trial, and lets those before it go', () => {
      const verdicts = [null, verdict('full'), verdict('restore'), verdict('restore')];
      expect(decided(verdicts)).toEqual(['newest', 'expired', 'proven', 'expired']);
    });

    it('never removes the newest one that did not fail: one that failed is not good', () => {
      for (const mode of ['quick', 'full', 'restore'] as const) {
        expect(decided([verdict(mode, false), null, null])).toEqual(['newest', 'newest', 'expired']);
      }
    });

    it('keeps the newest proven one of the main history, whatever forks were proven', () => {
      const verdicts = [null, verdict('restore'), verdict('restore')];
      expect(decided(verdicts, [1])).toEqual(['newest', 'proven', 'proven']);
    });

    it('takes one that lacks an object now for proven no more', () => {
      const [newest, broken, older] = [{ age: 0 }, { age: 100 }, { age: 101 }].map(candidate);
      const verified = verdict('restore');
      const all = [newest!, { ...broken!, verified, incomplete: true }, { ...older!, verified }];
      expect(decideBackups(all, RULES, NOW).map(({ reason }) => reason)).toEqual(['newest', 'expired', 'proven']);
    });
  });

  it('keeps what a backup under way builds on, and what somebody reads', () => {
    const [newest, base, read] = [{ age: 0 }, { age: 100 }, { age: 101 }].map(candidate);
    const all = [newest!, { ...base!, inUse: true }, { ...read!, held: true }];
    expect(decideBackups(all, RULES, NOW).map(({ reason }) => reason)).toEqual(['newest', 'in-use', 'held']);
  });
});

describe('backups that commits rest on', () => {
  it('stay, were they too old or not the newest of their day', () => {
    const [newest, ...rest] = [{ age: 0 }, { age: 2.1 }, { age: 2.2 }, { age: 2.3 }, { age: 100 }, { age: 101 }].map(
      candidate,
    );
    const bases = rest.map((one, index) => ({ ...one, isLogBase: index !== 2 && index !== 4 }));
    const rules = { ...RULES, keepAllMs: DAY };
    expect(decideBackups([newest!, ...bases], rules, NOW).map(({ reason }) => reason)).toEqual([
      'newest',
      'point-in-time',
      'point-in-time',
      'thinned',
      'point-in-time',
      'expired',
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
  });

  it('leaves a good backup of the main history wherever there was one', () => {
    fc.assert(
      fc.property(history, rules, (sketches, policy) => {
        const backups = plan(sketches, policy);
        const keptMain = sketches.filter(({ fork }, index) => !fork && backups[index]?.keep === true);
        expect(keptMain[0]).toBe(sketches.find(({ fork }) => !fork));
      }),
    );
  });

  it('removes only what is old, not the newest, not pinned and not labelled, and not the only one of a day', () => {
    fc.assert(
      fc.property(history, rules, (sketches, policy) => {
        const backups = plan(sketches, policy);
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

  it('changes nothing more when it is run again after what it planned was done', () => {
    fc.assert(
      fc.property(history, rules, (sketches, policy) => {
        const first = plan(sketches, policy);
        const left = sketches.filter((_, index) => first[index]?.keep);
        expect(plan(left, policy).every(({ keep }) => keep)).toBe(true);
      }),
    );
  });
});
