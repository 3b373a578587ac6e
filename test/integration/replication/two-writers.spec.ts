import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { TestClock, type TestCore } from '../../support/core.js';
import { restoredRows } from '../../support/restored-rows.js';
import { BUCKET, Site } from '../../support/site.js';

/** Continuous integration takes its time; everybody else waits for the result. */
const ROUNDS = Number(process.env['WRITER_ROUNDS'] ?? (process.env['CI'] === undefined ? 8 : 60));
const HOUR = 3_600_000;
const ENV = { R2_WAL_SYNC_INTERVAL_MS: '200', R2_VALIDATE_DOWNLOADS: 'false' };
const RECORD = { operation: 'PutObject', key: /log\/\d+$/ };

/** Where the first writer is stopped: between two records, before its record arrives, or before it learns that it did. */
const STOPS = ['idle', 'record on its way', 'answer on its way', 'record lost, then on its way'] as const;
type Stop = (typeof STOPS)[number];

let site: Site;

beforeEach(async () => {
  Logger.overrideLogger(false);
  site = await Site.open(BUCKET);
});
afterEach(async () => site.remove());

/** A machine that has taken its turn and ships. */
async function takeTurn(machine: string, clock: TestClock): Promise<TestCore> {
  const core = site.core(machine, ENV, { clock });
  await core.boot();
  await core.replication.connect();
  if (core.replication.state === 'awaiting-base') await core.backups.create({ trigger: 'checkpoint' });
  expect(core.replication.state).toBe('shipping');
  return core;
}

async function commit(core: TestCore, who: string, numbers: readonly number[]): Promise<void> {
  for (const number of numbers) await core.write(`INSERT INTO history VALUES ('${who}', ${number})`);
  core.replication.look();
}

async function rowsOf(core: TestCore): Promise<string[]> {
  const rows = await core.database.read((session) => session.all('SELECT * FROM history ORDER BY ALL'));
  return rows.map(({ who, number }) => `${String(who)} ${String(number)}`);
}

/** Stops a writer that has commits to ship; the function that is returned lets it go on, to its end. */
async function stopAt(stop: Stop, core: TestCore): Promise<() => Promise<void>> {
  if (stop === 'idle') return () => core.replication.ship();
  const { faults } = site.server;
  if (stop === 'record lost, then on its way') {
    faults.failAlways(503, RECORD);
    await core.replication.ship().catch(() => {});
    faults.clear();
  }
  const gate = faults.hold(RECORD, stop === 'answer on its way' ? 'answer' : 'before');
  const shipping = core.replication.ship();
  const settled = shipping.catch(() => {});
  await gate.reached;
  return async () => {
    gate.open();
    await settled;
    await shipping;
  };
}

/** What the first one committed after its turn is on its disk alone, and it learns so with its next record. */
async function findsOutThatItIsReplaced(
  first: TestCore,
  round: number,
  goOn: () => Promise<void>,
  stop: Stop,
): Promise<void> {
  if (stop === 'answer on its way') {
    await goOn();
    await commit(first, `${round} lost`, [1]);
    goOn = () => first.replication.ship();
  }
  const position = await first.database.position();
  const outcomes = await Promise.allSettled([goOn(), first.replication.shipped.reached(position)]);
  const fenced = { status: 'rejected', reason: { code: 'REPLICATION_FENCED' } };
  expect(outcomes).toMatchObject([fenced, fenced]);
  expect(first.replication.state).toBe('fenced');
  await expect(commit(first, `${round} refused`, [1])).rejects.toMatchObject({ code: 'DATABASE_READ_ONLY' });
  await expect(first.replication.shipped.reached(position)).rejects.toMatchObject({ code: 'REPLICATION_FENCED' });
}

/** The successor takes over while the first one is stopped, and is not disturbed when that goes on. */
async function handOver(first: TestCore, round: number, clock: TestClock): Promise<TestCore> {
  const stop = STOPS[round % STOPS.length] ?? 'idle';
  await commit(first, `${round} shipped`, [1, 2]);
  await first.replication.ship();
  const shipped = await rowsOf(first);
  await commit(first, `${round} late`, [1, 2, 3]);
  const all = await rowsOf(first);
  const goOn = await stopAt(stop, first);

  const second = await takeTurn(`machine ${round}`, clock);
  expect(await rowsOf(second)).toEqual(stop === 'answer on its way' ? all : shipped);
  await commit(second, `${round} second`, [1, 2]);
  await second.replication.ship();

  await findsOutThatItIsReplaced(first, round, goOn, stop);

  await commit(second, `${round} second`, [3]);
  await second.replication.ship();
  const newest = await restoredRows(second, { latest: true }, 'SELECT * FROM history ORDER BY ALL');
  expect(newest.map((row) => row.join(' '))).toEqual(await rowsOf(second));
  await first.close();
  return second;
}

/** Every record, with the writer whose turn it is. */
async function expectTurns(core: TestCore, turns: number): Promise<void> {
  const { log } = core.repository;
  const writers: string[] = [];
  for await (const { head } of log.records(1, await log.last(0))) {
    if (head.kind === 'open') writers.push(head.writer);
    expect(head.writer).toBe(writers.at(-1));
  }
  expect(writers).toHaveLength(turns);
}

describe.each([
  ['with the same clock', 0],
  ['with the clock of every other one an hour ahead', HOUR],
  ['with the clock of every other one an hour behind', -HOUR],
])('a stopped writer and its successor, %s', (_, skew) => {
  const rounds = skew === 0 ? ROUNDS : Math.ceil(ROUNDS / 10) * 4;

  it(`in ${rounds} rounds: the stopped one ships nothing, promises nothing, and refuses writes`, async () => {
    const clocks = [new TestClock(), new TestClock(new Date(new TestClock().now().getTime() + skew))] as const;
    let writer = await takeTurn('first machine', clocks[0]);
    await writer.write('CREATE TABLE history (who VARCHAR, number INTEGER)');
    for (let round = 1; round <= rounds; round++) {
      for (const clock of clocks) clock.advance(10_000);
      writer = await handOver(writer, round, clocks[round % 2] ?? clocks[0]);
    }
    await expectTurns(writer, rounds + 1);
  }, 600_000);
});
