import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ANY_ADAPTER } from '../support/adapters.js';
import { TestCore } from '../support/core.js';
import { faultsOf, LEDGER_SQL, type Ledger, ledgerSchema } from '../support/crash/ledger.js';
import { SHIPPER } from '../support/crash/shipping-history.js';
import { environmentIn, TestProcess } from '../support/processes.js';
import { restoredRows } from '../support/restored-rows.js';
import { type SharedStore, Stage } from '../support/stage.js';

/** Most rounds are made within one process: test/integration/replication/two-writers.spec.ts. */
const ROUNDS = Number(process.env['STOP_ROUNDS'] ?? (process.env['CI'] === undefined ? 1 : 5));

let stage: Stage;
let shared: SharedStore;

beforeEach(async () => {
  Logger.overrideLogger(false);
  stage = await Stage.set();
  shared = await stage.share(ANY_ADAPTER);
});
afterEach(() => stage.clear());

/** A machine with a disk of its own; the repository is shared. */
async function start(machine: string, round: number): Promise<TestProcess> {
  const folder = join(stage.path, machine);
  await mkdir(folder);
  const env = environmentIn(folder, {
    ...shared.env,
    SEED_DATABASE: 'false',
    R2_BACKUP_INTERVAL_MINUTES: '0',
    R2_WAL_SYNC_INTERVAL_MS: '200',
    R2_VALIDATE_DOWNLOADS: 'false',
    VERIFY_INTERVAL_HOURS: '0',
  });
  const command = [process.execPath, '--no-warnings', SHIPPER];
  const shipper = stage.run(new TestProcess(command, env, { cwd: folder }));
  await shipper.says(/"at":"ready"/);
  shipper.tell(JSON.stringify({ round, seed: round, sql: LEDGER_SQL, folds: false, awaits: true, fault: null }));
  return shipper;
}

const linesOf = (shipper: TestProcess): Record<string, unknown>[] =>
  shipper.stdout
    .slice(0, shipper.stdout.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const countOf = (shipper: TestProcess, word: string): number => shipper.stdout.split(word).length - 1;

describe('SIGSTOP past the turn, then SIGCONT', () => {
  it(`in ${ROUNDS} rounds: the stopped process refuses writes, and what it had not shipped never comes into the history`, async () => {
    const core = new TestCore(join(stage.path, 'other'), shared.store, { R2_VALIDATE_DOWNLOADS: 'false' });
    let first = await start('machine 0', 1);
    for (let round = 1; round <= ROUNDS; round++) {
      await first.until(() => countOf(first, '"safe"') > 5, 'it shipped');
      first.signal('SIGSTOP');
      const second = await start(`machine ${round}`, round + 1);
      await second.until(() => countOf(second, '"safe"') > 5, 'it shipped');
      const turn = linesOf(second).find((line) => 'open' in line) ?? {};
      const stopped = linesOf(first).length;
      const continued = Date.now();
      first.signal('SIGCONT');
      await first.says(/"refused"/);
      await first.kill();
      expectNoPromise(linesOf(first).slice(stopped), continued);
      await expectOnly(core, second, ledgerSchema.parse(turn['found']), round);
      first = second;
    }
    await first.kill();
    await core.close();
  }, 300_000);
});

/** Durable commits are promised when they are in the store; a stopped process finds out first that it was replaced. */
function expectNoPromise(lines: readonly Record<string, unknown>[], continued: number): void {
  // What it had to say of records that had arrived before it was stopped may come later.
  const refused = lines.find((line) => 'refused' in line);
  expect(Number(refused?.['t']) - continued).toBeLessThan(10_000);
  const late = new Set(lines.flatMap(({ n }) => (typeof n === 'number' ? [n] : [])));
  expect(lines.filter(({ safe, writer }) => writer === 'n' && late.has(Number(safe)))).toEqual([]);
}

/** The newest point is the history of the second writer: of the first one there is what that had found when it opened. */
async function expectOnly(core: TestCore, second: TestProcess, opened: Ledger, round: number): Promise<void> {
  const said = linesOf(second);
  const safe = Math.max(...said.map((line) => (line['writer'] === 'n' ? Number(line['safe']) : 0)));
  const rows = await restoredRows(core, { latest: true }, `SELECT to_json(x) FROM (${LEDGER_SQL}) AS x`);
  const found = ledgerSchema.parse(JSON.parse(String(rows[0]?.[0])));
  expect(faultsOf(found)).toEqual([]);
  expect(found.last_n).toBeGreaterThanOrEqual(safe);
  const own = ` ${round + 1}:${opened.last_n + 1}-${found.last_n}/${found.last_n - opened.last_n}`;
  expect(` ${found.small}`).toBe(`${opened.small === '' ? '' : ` ${opened.small}`}${own}`);
}
