import { join } from 'node:path';
import { appendFile, mkdir, rm } from 'node:fs/promises';
import type { BlockPool } from '../../../src/block-pool/block-pool.js';
import { filesOf } from '../../../src/database/database-files.js';
import { isEiderError } from '../../../src/errors/eider-error.js';
import type { PointTarget } from '../../../src/repository/point-in-time.js';
import { TestCore } from '../core.js';
import { environmentIn, TestProcess } from '../processes.js';
import type { Adapter } from '../adapters.js';
import type { Stage } from '../stage.js';
import { LEDGER_SQL, type Ledger, readLedger } from './ledger.js';
import { type AcknowledgedPoint, ShippingModel } from './shipping-model.js';

export const SHIPPER = join(import.meta.dirname, 'shipper.mjs');
/** Where a kill falls. The last two use fault points of DuckDB. */
const PHASES = ['writes', 'start', 'fold', 'slow-fold', 'writes', 'aborted-fold'] as const;
type Phase = (typeof PHASES)[number];
/** DuckDB's own: in the middle of a checkpoint it waits, or gives up. */
const SLEEPS = ['debug_checkpoint_sleep_ms', 'debug_checkpoint_scan_sleep_ms'] as const;
const ABORTS = ['BEFORE_TRUNCATE', 'BEFORE_HEADER', 'AFTER_FREE_LIST_WRITE', 'BEFORE_WAL_FINISH'] as const;
/** How long it waits, ms: several ticks of what ships, and longer than its interval. */
const SLEEP_MS = 400;

export interface HistoryParts {
  readonly stage: Stage;
  readonly pool: BlockPool;
  readonly random: (below: number) => number;
  readonly name: string;
  readonly adapter: Adapter;
}

/** One repository, and the processes that are killed one after the other while they ship to it. */
export class ShippingHistory {
  readonly model = new ShippingModel();
  readonly kills: Record<Phase, number> = { writes: 0, start: 0, fold: 0, 'slow-fold': 0, 'aborted-fold': 0 };
  #next: TestProcess;
  #restored = 0;

  private constructor(
    private readonly parts: HistoryParts,
    private readonly folder: string,
    private readonly env: Record<string, string>,
    private readonly core: TestCore,
  ) {
    this.#next = this.#prepare();
  }

  static async begin(parts: HistoryParts): Promise<ShippingHistory> {
    const folder = join(parts.stage.path, parts.name);
    await mkdir(folder);
    const { env: place, store } = await parts.stage.share(parts.adapter, folder);
    const env = environmentIn(folder, {
      SEED_DATABASE: 'false',
      R2_BACKUP_INTERVAL_MINUTES: '0',
      R2_WAL_SYNC_INTERVAL_MS: '200',
      VERIFY_INTERVAL_HOURS: '0',
      ...place,
    });
    const core = new TestCore(join(folder, 'other'), store, { R2_VALIDATE_DOWNLOADS: 'false' }, undefined, {
      pool: parts.pool,
    });
    return new ShippingHistory(parts, folder, env, core);
  }

  get figures(): Record<string, number> {
    const kills = Object.entries(this.kills).map(([phase, count]) => [`kills in ${phase}`, count]);
    return { ...this.model.figures, 'points restored': this.#restored, ...(Object.fromEntries(kills) as object) };
  }

  /** Lets one process ship for a while, kills it, and restores an earlier point. Returns what is wrong. */
  async round(round: number): Promise<string[]> {
    const { random } = this.parts;
    const phase = PHASES[random(PHASES.length)] ?? 'writes';
    const shipper = this.#next;
    this.#next = this.#prepare();
    await shipper.says(/"at":"ready"/);
    shipper.tell(JSON.stringify({ ...this.#orders(phase), round }));
    const at = await this.#killWithin(shipper, phase);
    // Kept with the files where something is wrong.
    await appendFile(join(this.folder, 'said.jsonl'), shipper.stdout);
    const wrong = this.model.read(shipper.stdout, round);
    if (shipper.stderr !== '') wrong.push(shipper.stderr);
    this.kills[phase]++;
    // The first round does for certain: a run without a lost disk would say nothing of what is lost with one.
    const isLost = round === 1 || random(2) === 0;
    if (isLost) await this.#loseDisk();
    this.model.killed(at, isLost);
    wrong.push(...(await this.#restoreOne()));
    return wrong.map((what) => `round ${round} (${phase}): ${what}`);
  }

  /** Starts once more, and looks at the log as a whole. Returns what is wrong. */
  async end(): Promise<string[]> {
    await this.#next.says(/"at":"ready"/);
    this.#next.tell(JSON.stringify({ ...this.#orders('start'), round: 0 }));
    await this.#next.says(/"n":\d+/);
    await this.#next.kill();
    const wrong = this.model.read(this.#next.stdout, 0);
    let writer: string | undefined;
    const { log } = this.core.repository;
    for await (const { head } of log.records(1, await log.last(0))) {
      if (head.kind === 'open') writer = head.writer;
      else if (head.writer !== writer) wrong.push(`record ${head.number} is not of the writer whose turn it is`);
    }
    await this.core.close();
    return wrong;
  }

  /** Loads its modules while another one is still at work. */
  #prepare(): TestProcess {
    const { stage, random } = this.parts;
    const env = { ...this.env, R2_VALIDATE_DOWNLOADS: String(random(3) === 0) };
    return stage.run(new TestProcess([process.execPath, '--no-warnings', SHIPPER], env, { cwd: this.folder }));
  }

  #orders(phase: Phase): object {
    const { random } = this.parts;
    const fault = {
      'slow-fold': { name: SLEEPS[random(SLEEPS.length)], value: String(SLEEP_MS) },
      'aborted-fold': { name: 'debug_checkpoint_abort', value: ABORTS[random(ABORTS.length)] },
    };
    return {
      seed: random(2 ** 31),
      sql: LEDGER_SQL,
      folds: phase.endsWith('fold') || random(2) === 0,
      awaits: random(3) === 0,
      fault: phase in fault ? fault[phase as keyof typeof fault] : null,
    };
  }

  /** @returns when it was killed, ms since 1970 */
  async #killWithin(shipper: TestProcess, phase: Phase): Promise<number> {
    const { random } = this.parts;
    const said = (word: string, times = 1): Promise<void> =>
      shipper.until(() => shipper.stdout.split(word).length > times, `it said ${word} ${times} times`);
    if (phase === 'start') {
      await said('"at":"start"');
      return killAfter(shipper, random(400));
    }
    // Somewhere in an iteration: the first one has no base yet.
    if (phase === 'writes') await said('"n":', 1 + random(40));
    if (phase === 'fold') await said('"at":"fold"', 1 + random(2));
    if (phase === 'slow-fold') await said('"at":"fold"');
    if (phase === 'aborted-fold') await said('"aborted"');
    return killAfter(
      shipper,
      random({ writes: 400, fold: 60, 'slow-fold': SLEEP_MS * 1.2, 'aborted-fold': 300 }[phase]),
    );
  }

  async #loseDisk(): Promise<void> {
    for (const file of filesOf(join(this.folder, 'hesocial.duckdb'))) await rm(file, { force: true });
  }

  /** Restores a point of before, told by its position or by its time. */
  async #restoreOne(): Promise<string[]> {
    const { random } = this.parts;
    const { points } = this.model;
    const point = points[random(points.length)];
    if (point === undefined) return [];
    const { lineage, iteration, offset } = point;
    const byTime = random(3) === 0;
    const target = byTime ? { at: new Date(point.t) } : { position: { lineage, iteration, offset } };
    const name = `${point.writer} ${point.number} at ${JSON.stringify(target)}`;
    try {
      const found = await this.#restore(target);
      if (found === undefined) return byTime ? [] : [`${name}: the tables are not there`];
      const faults = byTime ? this.model.faultsBy(point.t, found) : this.model.faultsAt(point, found);
      return faults.map((what) => `${name}: ${what}`);
    } catch (error) {
      const isUnreachable = isEiderError(error, 'RESTORE_POINT_UNREACHABLE');
      // Behind the last commit of an iteration whose successor's base says that commits may be missing before it.
      if (isUnreachable && byTime && error.message.includes('lies in a gap')) return [];
      if (isUnreachable && !(byTime ? await this.#isAfterFirstBackup(point) : await this.#isInLog(point))) return [];
      return [`${name} does not restore: ${String(error)}`];
    }
  }

  async #isAfterFirstBackup({ t }: AcknowledgedPoint): Promise<boolean> {
    const { repository } = this.core;
    const oldest = (await repository.list()).backups.at(-1);
    return oldest !== undefined && Date.parse((await repository.manifests.of(oldest.name)).createdAt) <= t;
  }

  /** What a backup brought to the store, and no record, can be restored with that backup only. */
  async #isInLog({ lineage, iteration, offset }: AcknowledgedPoint): Promise<boolean> {
    const { log } = this.core.repository;
    for await (const { head } of log.records(1, await log.last(0))) {
      if (head.kind !== 'wal' || head.lineage !== lineage || head.iteration !== iteration) continue;
      if (head.from < offset && offset <= head.to) return true;
    }
    return false;
  }

  async #restore(target: PointTarget): Promise<Ledger | undefined> {
    const { restores } = this.core;
    const copy = await restores.prepare(await restores.find(target), { target: join(this.folder, 'point.duckdb') });
    this.#restored++;
    try {
      return await readLedger(copy.path);
    } finally {
      await restores.discard(copy);
    }
  }
}

async function killAfter(shipper: TestProcess, ms: number): Promise<number> {
  const killed = new Promise<number>((resolve) => {
    setTimeout(() => {
      resolve(Date.now());
      shipper.signal('SIGKILL');
    }, ms);
  });
  const at = await killed;
  await shipper.exited;
  return at;
}
