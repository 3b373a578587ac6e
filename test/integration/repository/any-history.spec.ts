import { afterEach, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { isEiderError } from '../../../src/errors/eider-error.js';
import { type Manifest, objectsOf } from '../../../src/repository/manifest.js';
import { extentKey, manifestKey, noteKey, ownerOf, pendingKey } from '../../../src/repository/keys.js';
import type { TestCore } from '../../support/core.js';
import { FIRST_KEY, keys, SECOND_KEY, THIRD_KEY } from '../../support/encryption.js';
import { report } from '../../support/fault-loop.js';
import { ADAPTERS, contentOf, Site } from '../../support/site.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const STEPS = Number(process.env['HISTORY_STEPS'] ?? (process.env['CI'] === 'true' ? 80 : 20));
const TIMEOUT_MS = 240_000;
/** How a history begins; a step changes it. All of these keys read at any time. */
const RINGS = [
  keys('off', FIRST_KEY, SECOND_KEY, THIRD_KEY),
  keys(FIRST_KEY, SECOND_KEY, THIRD_KEY),
  keys(SECOND_KEY, FIRST_KEY, THIRD_KEY),
  keys(THIRD_KEY, SECOND_KEY, FIRST_KEY),
];
const BASIC_RULES = { R2_BACKUP_RETENTION_DAYS: '6', R2_FULL_BACKUP_DAYS: '4', RESTORE_POINTS_KEEP: '1' };

/** mulberry32: the same numbers for the same seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

let site: Site;

/** One machine after the other works on one repository; what each backup held is written down when it is taken. */
class History {
  core!: TestCore;
  readonly content = new Map<string, readonly string[]>();
  rules: Record<string, string> = BASIC_RULES;
  keyChanges = 0;
  readonly kinds = { full: 0, incremental: 0 };
  restores = 0;
  removed = 0;
  /** Objects that no backup needs, and since when. */
  readonly #unreachable = new Map<string, number>();
  #machines = 0;
  #tables = 0;

  constructor(private readonly pick: (below: number) => number) {}

  async begin(): Promise<void> {
    if (this.pick(3) > 0) this.#takeKeys();
    await this.#boot('machine-0');
    await this.core.write(
      'CREATE TABLE rows (id INTEGER, note VARCHAR)',
      'INSERT INTO rows SELECT range, md5(range::VARCHAR) FROM range(60000)',
      'CREATE TABLE keyed (id INTEGER PRIMARY KEY, n INTEGER)',
    );
  }

  readonly steps: readonly (() => Promise<void>)[] = [
    () => this.#change(),
    () => this.#change(),
    () => this.#change(),
    () => this.#backUp(),
    () => this.#backUp(),
    () => this.#backUp(),
    () => this.#restoreAny(),
    () => this.#retain(),
    () => this.#removeAny(),
    () => this.#restart(),
    () => this.#changeKeys(),
    () => this.#loseTheDisk(),
    () => this.#cutOff(),
    () => this.#check(),
  ];

  /** Writes down which objects no backup needs any more; behind retention none of them is older than its grace period. */
  async look(retained = false): Promise<void> {
    const { repository, store } = this.core;
    const needed = new Set(['repository.json']);
    const { backups } = await repository.list();
    for (const { name } of backups) {
      for (const key of [manifestKey(name), noteKey(name), ...objectsOf(await repository.manifests.of(name))])
        needed.add(key);
    }
    // The pack of a backup that is gone and whose blocks another one needs is still marked as no backup.
    for (const key of needed) {
      const owner = ownerOf(key);
      if (owner !== undefined) needed.add(pendingKey(owner));
    }
    const now = site.clock.now().getTime();
    const found = new Set<string>();
    for await (const { key } of store.list('')) if (!needed.has(key)) found.add(key);
    for (const key of this.#unreachable.keys()) if (!found.has(key)) this.#unreachable.delete(key);
    for (const key of found) if (!this.#unreachable.has(key)) this.#unreachable.set(key, now);
    const old = [...this.#unreachable].filter(([, since]) => now - since > DAY_MS);
    if (retained) expect(old).toEqual([]);
  }

  async listed(): Promise<string[]> {
    return (await this.core.repository.list()).backups.map(({ name }) => name);
  }

  /** A machine that has nothing but the repository gets what was written down. */
  async expectRestorable(name: string): Promise<void> {
    const other = site.core(`reader-${++this.#machines}`, this.rules);
    const manifest = await other.repository.manifests.of(name);
    await other.offline.toFile({ kind: 'eider', manifest }, other.database.path);
    await other.open();
    expect(await contentOf(other)).toEqual(this.content.get(name));
    await other.close();
    rmSync(other.folder, { recursive: true });
    this.restores++;
  }

  async #boot(machine: string): Promise<void> {
    this.core = site.core(machine, this.rules);
    await this.core.boot();
  }

  async #change(): Promise<void> {
    const { core, pick } = this;
    const id = pick(60_000);
    const table = `extra_${this.#tables}`;
    const changes = [
      [`UPDATE rows SET note = md5(note) WHERE id BETWEEN ${id} AND ${id + pick(3_000)}`],
      [`DELETE FROM rows WHERE id BETWEEN ${id} AND ${id + pick(2_000)}`],
      [`INSERT INTO rows (id, note) SELECT range, md5('again' || range) FROM range(${id}, ${id + pick(20_000)})`],
      [`INSERT OR REPLACE INTO keyed SELECT range, ${id} FROM range(${pick(5_000)})`],
      [
        `CREATE TABLE ${table} AS SELECT range AS i, 'text' AS t FROM range(${pick(30_000)})`,
        `CREATE INDEX i_${table} ON ${table} (i)`,
      ],
      [`DROP TABLE IF EXISTS extra_${pick(this.#tables + 1)}`],
      [`ALTER TABLE rows ADD COLUMN c${++this.#tables} INTEGER DEFAULT ${id}`],
      ['UPDATE keyed SET n = n + 1'],
    ];
    await core.write(...(changes[pick(changes.length)] ?? []));
    this.#tables++;
  }

  async #backUp(): Promise<void> {
    const { core, pick } = this;
    site.clock.advance(pick(20) * HOUR_MS);
    const request = { trigger: 'manual', pinned: pick(12) === 0, full: pick(8) === 0 } as const;
    let taken: Manifest;
    if (pick(4) === 0) {
      taken = await core.database.transaction(async (session) => {
        await session.run('UPDATE keyed SET n = n WHERE id = 1');
        return (await core.backups.create({ ...request, checkpointTimeoutMs: -1 })).manifest;
      });
    } else taken = (await core.backups.create(request)).manifest;
    this.kinds[taken.kind]++;
    expect(taken.fork).toBe(false);
    this.content.set(taken.name, await contentOf(core));
  }

  async #restoreAny(): Promise<void> {
    const names = await this.listed();
    const name = names[this.pick(names.length)];
    if (name === undefined) return;
    await this.core.online.restore(await this.core.restores.find({ backup: name }), { force: true });
    // A restore migrates, which adds tables of the service.
    expect(await contentOf(this.core)).toEqual(expect.arrayContaining([...(this.content.get(name) ?? [])]));
    await this.#backUp();
  }

  async #retain(): Promise<void> {
    site.clock.advance(this.pick(3) * DAY_MS);
    await this.look();
    const { objects = [] } = await this.core.retention.run({ dryRun: true });
    const keys: string[] = [];
    for await (const { key } of this.core.store.list('')) keys.push(key);
    expect(objects.map(({ key }) => key).toSorted()).toEqual(keys.toSorted());
    const { removed } = await this.core.retention.run();
    const told = objects.filter(({ action }) => action === 'delete').map(({ key }) => key);
    expect(removed.toSorted()).toEqual(told.toSorted());
    this.removed += removed.length;
    await this.look(true);
    await this.#expectAnyRestorable();
  }

  async #removeAny(): Promise<void> {
    const names = await this.listed();
    const name = names[this.pick(names.length)];
    if (name === undefined) return;
    try {
      await this.core.retention.remove(name);
      this.removed++;
    } catch (error) {
      if (!isEiderError(error, 'BACKUP_IN_USE')) throw error;
    }
    await this.#expectAnyRestorable();
  }

  async #restart(): Promise<void> {
    const before = await contentOf(this.core);
    await this.core.close();
    this.core = site.core(this.core.folder.slice(site.path.length + 1), this.rules);
    await this.core.boot();
    expect(await contentOf(this.core)).toEqual(before);
  }

  #takeKeys(): void {
    this.rules = { ...BASIC_RULES, ...RINGS[this.pick(RINGS.length)] };
  }

  /** Another key writes from the next backup on, or none: that one must be a full one then. */
  async #changeKeys(): Promise<void> {
    const before = await this.#newestKey();
    this.#takeKeys();
    await this.#restart();
    this.keyChanges++;
    const { kinds } = this;
    const full = kinds.full;
    await this.#backUp();
    if ((await this.#newestKey()) !== before) expect(kinds.full).toBe(full + 1);
  }

  async #newestKey(): Promise<string | null> {
    const [newest] = await this.listed();
    return newest === undefined ? null : ((await this.core.repository.manifests.of(newest)).encryption?.keyId ?? null);
  }

  async #loseTheDisk(): Promise<void> {
    if ((await this.listed()).length === 0) return;
    // What is not backed up is lost with it; whoever stops in good order backs up.
    await this.#backUp();
    const before = await contentOf(this.core);
    await this.core.close();
    rmSync(this.core.folder, { recursive: true });
    await this.#boot(`machine-${++this.#machines}`);
    expect(await contentOf(this.core)).toEqual(before);
  }

  /** What a backup leaves that was killed in the middle. */
  async #cutOff(): Promise<void> {
    const name = `hesocial-backup-20250101-0000${String(this.pick(60)).padStart(2, '0')}`;
    const { repository, store } = this.core;
    if (!(await repository.reservations.take(name, (await this.listed())[0]))) return;
    await store.put(`${name}.blocks.zst`, Buffer.from('cut'));
    await store.put(extentKey(createHash('sha256').update(name).digest('hex'), false), Buffer.from('cut'));
  }

  async #check(): Promise<void> {
    const names = await this.listed();
    const name = names[this.pick(names.length)];
    if (name === undefined) return;
    expect(await this.core.verification.verify(name, this.pick(2) === 0 ? 'full' : 'restore')).toMatchObject({
      ok: true,
    });
  }

  async #expectAnyRestorable(): Promise<void> {
    const names = await this.listed();
    const name = names[this.pick(names.length)];
    if (name !== undefined) await this.expectRestorable(name);
  }
}

describe.each(ADAPTERS)('any history in a %s', (adapter) => {
  afterEach(async () => site.remove());

  it(
    `of ${STEPS} changes, backups, restores, removals and lost disks: every listed backup restores to what it held`,
    async () => {
      site = await Site.open(adapter, { dated: true, compares: true });
      const seed = Number(process.env['HISTORY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
      const pick = numbers(seed);
      const history = new History(pick);
      report(`history in a ${adapter}: seed ${seed} (HISTORY_SEED)`);
      await history.begin();
      for (let step = 0; step < STEPS; step++) {
        await history.steps[pick(history.steps.length)]?.();
        await history.look();
      }
      const names = await history.listed();
      for (const name of names) await history.expectRestorable(name);

      // A day later nothing is left that no backup needs; those that retention removes now take a day more.
      await history.core.retention.run();
      await history.look();
      site.clock.advance(DAY_MS + 1);
      await history.core.retention.run();
      await history.look(true);
      for (const name of await history.listed()) await history.expectRestorable(name);
      const { kinds, restores, removed } = history;
      report(
        `history in a ${adapter}: ${kinds.full} full and ${kinds.incremental} incremental backups, ${restores} restored elsewhere and compared, ${removed} objects removed, ${history.keyChanges} times other keys`,
      );
      expect(kinds.incremental).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );
});
