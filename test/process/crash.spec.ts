import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { DuckDBInstance } from '@duckdb/node-api';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ANY_ADAPTER } from '../support/adapters.js';
import { TestCore } from '../support/core.js';
import { CrashModel } from '../support/crash/crash-model.js';
import { type SharedStore, Stage } from '../support/stage.js';
import { makeLoadDatabase, missingFrom, RegistrationLoad } from '../support/registrations.js';
import { environmentIn, TestProcess } from '../support/processes.js';
import { seededRandom } from '../support/seeded-random.js';

const WRITER = join(import.meta.dirname, '..', 'support', 'crash', 'writer.mjs');
/** Continuous integration takes its time; everybody else waits for the result. */
const ROUNDS = Number(process.env['CRASH_ROUNDS'] ?? (process.env['CI'] === undefined ? 15 : 50));
const PHASES = ['start', 'writes', 'backup', 'restore', 'shutdown'] as const;
type Phase = (typeof PHASES)[number];
/** More would only make every listing longer. */
const MOST_BACKUPS = 20;

/** The same seed draws the same rounds; where within a phase the kill falls is up to the machine. */
const SEED = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 1e9));
const random = seededRandom(SEED);

let stage: Stage;
let shared: SharedStore;

beforeEach(async () => {
  Logger.overrideLogger(false);
  stage = await Stage.set();
  shared = await stage.share(ANY_ADAPTER);
});
afterEach(() => stage.clear());

/** A writer that has loaded its modules and waits for its orders. */
function prepareWriter(): TestProcess {
  const env = environmentIn(stage.path, { SEED_DATABASE: 'false', R2_BACKUP_INTERVAL_MINUTES: '0', ...shared.env });
  return stage.run(new TestProcess([process.execPath, WRITER], env, { cwd: stage.path }));
}

const occurrences = (text: string, word: string): number => text.split(word).length - 1;

/** Lets the writer come to a phase and kills it somewhere within, if it does not come to its end before. */
async function killWithin(writer: TestProcess, phase: Phase, durations: CrashModel['durations']): Promise<void> {
  const said = (word: string, times = 1) =>
    writer.until(() => occurrences(writer.stdout, word) >= times, `it said ${word} ${times} times`);
  switch (phase) {
    case 'start':
      await said('"at":"start"');
      return killAfter(writer, random(250));
    case 'writes':
      await said('"ack"', 1 + random(60));
      return killAfter(writer, random(10));
    case 'backup':
      await said('"at":"backup"', 1 + random(2));
      return killAfter(writer, random(durations.backup * 1.2));
    case 'restore':
      await said('"at":"restore"');
      if (random(2) === 0) return killAfter(writer, random(durations.restore * 1.2));
      // The exchange of the files is a small part of a restore, and the one where most can go wrong.
      await said('"step":"swap"');
      return killAfter(writer, random(200));
    case 'shutdown':
      await said('"at":"shutdown"');
      return killAfter(writer, random(durations.shutdown * 1.2));
  }
}

/** What went wrong once may not come again, so the files are kept. */
async function nothingWrong(wrong: readonly string[]): Promise<void> {
  if (wrong.length > 0) {
    const kept = await mkdtemp(join(tmpdir(), 'eider-crash-'));
    await cp(stage.path, kept, { recursive: true });
    process.stderr.write(`crash test, seed ${SEED}: the files are kept in ${kept}\n`);
  }
  expect({ seed: SEED, wrong }).toEqual({ seed: SEED, wrong: [] });
}

async function killAfter(writer: TestProcess, ms: number): Promise<void> {
  const timer = setTimeout(() => writer.signal('SIGKILL'), ms);
  await writer.exited;
  clearTimeout(timer);
}

describe('kill -9', () => {
  it(`at ${ROUNDS} random moments: the database opens with every acknowledged commit, and every listed backup restores`, async () => {
    const model = new CrashModel();
    const core = new TestCore(stage.path, shared.store, { DUCKDB_PATH: join(stage.path, 'checked.duckdb') });
    const kills = { start: 0, writes: 0, backup: 0, restore: 0, shutdown: 0 };
    const listed = async () => (await core.repository.list()).backups.map(({ name }) => name);
    const wrong: string[] = [];
    let [verified, restored, wipes] = [0, 0, 0];
    let next = prepareWriter();
    for (let round = 0; round <= ROUNDS; round++) {
      const writer = next;
      // The last one is not killed: it shows that the database opens, and stops in order.
      const phase: Phase = round === ROUNDS ? 'shutdown' : (PHASES[(round + 1) % PHASES.length] ?? 'writes');
      if (round < ROUNDS) next = prepareWriter();
      await writer.says(/"at":"ready"/);
      writer.tell(JSON.stringify({ first: round * 100_000, phase, seed: random(2 ** 31) }));
      if (round < ROUNDS) await killWithin(writer, phase, model.durations);
      const exit = await writer.exited;
      if (exit === 'SIGKILL') kills[phase]++;
      else if (exit !== 0) wrong.push(`round ${round} (${phase}) ended with ${exit}: ${writer.stderr}`);
      wrong.push(...model.read(writer.stdout).map((what) => `round ${round} (${phase}): ${what}`));
      const names = await listed();
      const sample = names[random(names.length)];
      if (sample !== undefined) {
        const report = await core.verify.verify(sample);
        verified++;
        if (!report.ok) wrong.push(`round ${round}: ${sample} is damaged: ${JSON.stringify(report.damages)}`);
      }
      for (const name of names.slice(MOST_BACKUPS)) await core.retention.remove(name);
      if (names.length > 0 && random(5) === 0 && round < ROUNDS - 1) {
        wipes++;
        await stage.wipe();
        model.wiped();
      }
      await nothingWrong(wrong);
    }
    for (const name of await listed()) {
      wrong.push(...(await restoreAndCompare(core, model, name)));
      restored++;
    }
    await core.close();
    process.stdout.write(
      `crash test, seed ${SEED}: ${ROUNDS} rounds, kills ${JSON.stringify(kills)}, ${wipes} lost disks, ` +
        `${JSON.stringify(model.figures)}, ${verified} backups verified, ${restored} restored\n`,
    );
    await nothingWrong(wrong);
    expect(kills.writes).toBeGreaterThan(0);
  }, 400_000);

  it('of the service under load and while it stops: the next start has every acknowledged registration', async () => {
    await makeLoadDatabase(stage.path);
    const env = environmentIn(stage.path, shared.env);
    const acknowledged = [];
    for (let round = 0; round < 5; round++) {
      const service = await stage.serve(env);
      expect(await missingFrom(service, acknowledged)).toEqual([]);
      const load = new RegistrationLoad(service, 1 + round * 3_000);
      await load.reaches(1 + random(50));
      if (round % 2 === 1) {
        service.signal('SIGTERM');
        await service.says(/shutting down/);
      }
      await killAfter(service, random(100));
      await load.ended;
      acknowledged.push(...load.acknowledged);
    }
    const last = await stage.serve(env);
    expect(await missingFrom(last, acknowledged)).toEqual([]);
  }, 120_000);
});

/** Restores a backup beside the database and compares what is in it with what it must hold. */
async function restoreAndCompare(core: TestCore, model: CrashModel, name: string): Promise<string[]> {
  const file = join(stage.path, 'restored.duckdb');
  const manifest = await core.repository.manifests.of(name);
  try {
    await core.offline.toFile(await core.restores.find({ backup: name }), file);
    const { commits, halves } = await commitsIn(file);
    const lacked = model.lackedBy(manifest, new Set(commits));
    const wrong = halves === 0 ? [] : [`${name} has ${halves} transactions by half`];
    return lacked.length === 0 ? wrong : [...wrong, `${name} lacks ${lacked.length} commits: ${lacked.join(', ')}`];
  } catch (error) {
    return [`${name} does not restore: ${String(error)}`];
  } finally {
    await rm(file, { force: true });
  }
}

/** The commits in a closed database; none where the writer had not come to making its tables. */
async function commitsIn(file: string): Promise<{ commits: number[]; halves: number }> {
  const instance = await DuckDBInstance.create(file, { access_mode: 'READ_ONLY' });
  const connection = await instance.connect();
  try {
    const tables = await connection.runAndReadAll(
      "SELECT count(*)::INTEGER FROM duckdb_tables() WHERE table_name IN ('commits', 'echoes')",
    );
    if (tables.getRows()[0]?.[0] !== 2) return { commits: [], halves: 0 };
    const rows = await connection.runAndReadAll(
      'SELECT commits.n, echoes.n FROM commits FULL JOIN echoes ON commits.n = echoes.n',
    );
    const pairs = rows.getRows();
    return {
      commits: pairs.flatMap(([n]) => (typeof n === 'number' ? [n] : [])),
      halves: pairs.filter(([n, echo]) => n !== echo).length,
    };
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
