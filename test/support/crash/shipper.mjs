// A process to be killed or stopped while it ships: it opens a database as the service does and runs what the service
// runs by itself, with two writers beside it, saying on its standard output what it has come to. Its orders come as one
// line of JSON on the standard input:
//
//   {"round": 3, "seed": 7, "sql": "SELECT …", "folds": true, "awaits": false, "fault": {"name": "debug_…", "value": "200"}}
//
// Lines that it writes, each with the time: {at}, {open}, {n} and {m} for acknowledged commits of the two writers, {safe}
// for what is known to be in the store, {aborted}, {refused}. shipping-model.ts reads them. Needs the build.
import { NestFactory } from '@nestjs/core';
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

const dist = (path) => import(new URL(`../../../dist/${path}.js`, import.meta.url).href);
const [{ CoreModule }, { DatabaseService }, { HttpModule }, { LifecycleModule }, { StartupService }] =
  await Promise.all(
    [
      'core.module',
      'database/database.service',
      'http/http.module',
      'lifecycle/lifecycle.module',
      'lifecycle/startup.service',
    ].map(dist),
  );
const [{ Lineage }, { OperationsModule }, { ReplicationService }] = await Promise.all(
  ['lineage/lineage', 'operations/operations.module', 'replication/replication.service'].map(dist),
);

/** Synchronous, so that what was said before a kill was written before it. */
const say = (line) => writeSync(1, `${JSON.stringify({ ...line, t: Date.now() })}\n`);

const imports = [CoreModule, HttpModule, OperationsModule, LifecycleModule];
const context = await NestFactory.createApplicationContext(
  { module: class ShipperModule {}, imports },
  { logger: ['fatal'], abortOnError: false },
);
const [database, lineage, replication, startup] = [DatabaseService, Lineage, ReplicationService, StartupService].map(
  (service) => context.get(service, { strict: false }),
);

say({ at: 'ready' });
const orders = createInterface({ input: process.stdin });
const text = await new Promise((resolve) => orders.once('line', resolve));
let { seed } = JSON.parse(text);
const { round, sql, folds, awaits, fault } = JSON.parse(text);
// The test has gone: nobody would end this process.
orders.once('close', () => process.exit(9));

const random = (below) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * below);
};

/** The last commit of each writer: in the database, and acknowledged. */
const last = { n: 0, m: 0 };
/** Acknowledged commits that are not known to be in the store. */
let unsafe = [];

const reaches = (position, { iteration, offset }) =>
  position.iteration > iteration || (position.iteration === iteration && position.offset >= offset);

/** Says which commits are in the store by now. */
function tellSafe() {
  const shipped = replication.shipped.current;
  if (shipped === undefined) return;
  for (const { writer, number } of unsafe.filter(({ position }) => reaches(shipped, position))) {
    say({ safe: number, writer });
  }
  unsafe = unsafe.filter(({ position }) => !reaches(shipped, position));
}

async function acknowledge(writer, number) {
  last[writer] = number;
  // The other writer may have committed since: then it is a later position, at which this commit is there, too.
  const position = await database.position();
  say({ [writer]: number, ...position, lineage: lineage.state.lineage });
  if (!awaits || random(4) > 0) return void unsafe.push({ writer, number, position });
  // As a write does that is acknowledged only once it is in the store.
  void replication.shipped.reached(position).then(
    () => say({ safe: number, writer }),
    () => {},
  );
}

let refused = false;

async function insist(work) {
  for (;;) {
    try {
      return await database.transaction(work);
    } catch (error) {
      if (error.code === 'DATABASE_READ_ONLY' && !refused) {
        refused = true;
        say({ refused: error.code });
      }
      await pause(5);
    }
  }
}

/** Small commits that change rows. */
async function writeSmall() {
  for (let n = last.n + 1; ; n++) {
    const other = last.m;
    await insist(async (session) => {
      await session.run('INSERT INTO commits VALUES ($1, $2, $3)', [n, round, other]);
      await session.run('UPDATE ledger SET total = total + $1::BIGINT WHERE id = $1 % 7', [n]);
    });
    await acknowledge('n', n);
    if (random(8) === 0) await pause(random(20));
  }
}

/** Commits that delete many rows, or are too large for the log: their rows go into the file, and the log points at them. */
async function writeBulks() {
  for (let m = last.m + 1; ; m++) {
    const [other, rows] = [last.n, random(3) === 0 ? 125_000 + random(20_000) : 1 + random(2_000)];
    await insist(async (session) => {
      await session.run('INSERT INTO bulks VALUES ($1, $2, $3, $4)', [m, round, other, rows]);
      await session.run(`INSERT INTO ballast SELECT $1, range, $1 * 1000003 + range FROM range(${rows})`, [m]);
      if (m % 3 === 0) await session.run('DELETE FROM ballast WHERE m = $1', [m - 2]);
    });
    await acknowledge('m', m);
    await pause(10 + random(40));
  }
}

async function fold() {
  for (;;) {
    // Without a base nothing is shipped, so that most folds wait for it.
    while (random(4) > 0 && replication.state !== 'shipping') await pause(10);
    await pause(20 + random(200));
    say({ at: 'fold' });
    try {
      await database.checkpoint({ timeoutMs: 500 });
    } catch (error) {
      say({ aborted: error.message, fatal: database.fatal?.message ?? null });
      return;
    }
    say({ at: 'folded' });
  }
}

say({ at: 'start' });
await startup.open();
for (const table of [
  'commits (n INTEGER PRIMARY KEY, round INTEGER, other INTEGER)',
  'bulks (m INTEGER PRIMARY KEY, round INTEGER, other INTEGER, rows INTEGER)',
  'ledger (id INTEGER, total BIGINT)',
  'ballast (m INTEGER, i BIGINT, v BIGINT)',
]) {
  await database.write((session) => session.run(`CREATE TABLE IF NOT EXISTS ${table}`));
}
await database.transaction(async (session) => {
  const { rows } = await session.first('SELECT count(*)::INTEGER AS rows FROM ledger');
  if (rows === 0) await session.run('INSERT INTO ledger SELECT range, 0 FROM range(7)');
});
const found = await database.read((session) => session.first(sql));
Object.assign(last, { n: found.last_n, m: found.last_m });
say({ open: startup.outcome.decision.row, lineage: lineage.state.lineage, found });
if (fault !== null) await database.write((session) => session.run(`SET GLOBAL ${fault.name} = '${fault.value}'`));
startup.beginSchedules();
setInterval(tellSafe, 5);
void writeSmall();
void writeBulks();
if (folds) void fold();
