// A process to be killed: it opens a database as the service does and commits, backs up, restores and shuts down, saying
// on its standard output what it has come to. Its orders come as one line of JSON on the standard input:
//
//   {"first": 100, "phase": "restore", "seed": 7}
//
// Lines that it writes: {at: "ready" | "start" | "backup" | "restore" | "shutdown"}, {open}, {ack}, {backup}, {step},
// {restored}, {closed}; crash-model.ts reads them. Needs the build.
import { NestFactory } from '@nestjs/core';
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

const dist = (path) => import(new URL(`../../../dist/${path}.js`, import.meta.url).href);
const [
  { BackupService },
  { CoreModule },
  { DatabaseService },
  { HttpModule },
  { LifecycleModule },
  { ShutdownService },
  { StartupService },
] = await Promise.all(
  [
    'backup/backup.service',
    'core.module',
    'database/database.service',
    'http/http.module',
    'lifecycle/lifecycle.module',
    'lifecycle/shutdown.service',
    'lifecycle/startup.service',
  ].map(dist),
);
const [{ Lineage }, { OperationsModule }, { Repository }, { OnlineRestore }, { RestoreService }] = await Promise.all(
  [
    'lineage/lineage',
    'operations/operations.module',
    'repository/repository',
    'restore/online-restore.service',
    'restore/restore.service',
  ].map(dist),
);

/** Synchronous, so that what was said before a kill was written before it. */
const say = (line) => writeSync(1, `${JSON.stringify(line)}\n`);

const imports = [CoreModule, HttpModule, OperationsModule, LifecycleModule];
const context = await NestFactory.createApplicationContext(
  { module: class CrashModule {}, imports },
  { logger: ['error', 'fatal'], abortOnError: false },
);
const [backups, database, lineage, online, repository, restores, shutdown, startup] = [
  BackupService,
  DatabaseService,
  Lineage,
  OnlineRestore,
  Repository,
  RestoreService,
  ShutdownService,
  StartupService,
].map((service) => context.get(service, { strict: false }));

say({ at: 'ready' });
const orders = createInterface({ input: process.stdin });
const [line] = await new Promise((resolve) => orders.once('line', (text) => resolve([text])));
let { first: next, phase, seed } = JSON.parse(line);
// The test has gone: nobody would end this process.
orders.once('close', () => process.exit(9));

const random = (below) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * below);
};

/** What is committed, and how many rows of the two tables do not belong together. */
async function contents() {
  return database.read(async (session) => {
    const rows = await session.all('SELECT n::INTEGER AS n FROM commits ORDER BY n');
    const halves = await session.first(
      'SELECT count(*)::INTEGER AS halves FROM commits FULL JOIN echoes USING (n) WHERE commits.n IS NULL OR echoes.n IS NULL',
    );
    return { writer: lineage.state.writer, commits: rows.map(({ n }) => n), halves: halves.halves };
  });
}

let stopping = false;
let committed = 0;
let onCommit = () => {};

async function write() {
  while (!stopping) {
    const n = next++;
    // Some commits are too large for the log: their rows go into the file, and the log only points at them.
    const text = random(40) === 0 ? 130_000 : 1 + random(20);
    try {
      await database.transaction(async (session) => {
        await session.run('INSERT INTO commits VALUES ($1)', [n]);
        await session.run(`INSERT INTO ballast SELECT $1, range FROM range(${text})`, [n]);
        if (n % 5 === 0) await session.run('DELETE FROM ballast WHERE n < $1', [n - 20]);
        await session.run('INSERT INTO echoes VALUES ($1)', [n]);
      });
      say({ ack: n, writer: lineage.state.writer });
      committed++;
      onCommit();
    } catch {
      // Held off by a restore or the shutdown, or two deletions met: not acknowledged. It comes again, as clients do.
      await pause(5);
    }
  }
}

async function someCommits() {
  const enough = committed + 1 + random(15);
  while (committed < enough) await new Promise((resolve) => (onCommit = resolve));
}

async function backUp() {
  say({ at: 'backup' });
  const started = performance.now();
  const { manifest } = await backups.create({ trigger: 'manual' });
  say({ backup: manifest.name, ms: performance.now() - started });
}

async function restore() {
  const { backups: listed } = await repository.list();
  const { name } = listed[random(listed.length)];
  say({ at: 'restore', name });
  const started = performance.now();
  const progress = { step: (step) => say({ step }), total: () => {}, advance: () => {} };
  await online.restore(await restores.find({ backup: name }), { force: random(2) === 0, progress });
  say({ restored: name, ms: performance.now() - started, ...(await contents()) });
}

say({ at: 'start' });
await startup.open();
for (const table of ['commits (n INTEGER PRIMARY KEY)', 'echoes (n INTEGER)', 'ballast (n INTEGER, i BIGINT)']) {
  await database.write((session) => session.run(`CREATE TABLE IF NOT EXISTS ${table}`));
}
say({ open: startup.outcome.decision.row, backup: startup.outcome.restored?.backup ?? null, ...(await contents()) });
const writers = [write(), write(), write()];
if (phase === 'restore' && (await repository.list()).backups.length === 0) await backUp();
for (;;) {
  await someCommits();
  if (random(3) === 0) await database.checkpoint({ timeoutMs: 200 });
  if (phase === 'backup') await backUp();
  if (phase === 'restore') await restore();
  if (phase === 'shutdown') break;
}
say({ at: 'shutdown' });
const started = performance.now();
const saved = await shutdown.run(new AbortController().signal);
stopping = true;
await Promise.all(writers);
say({ closed: saved, ms: performance.now() - started });
process.exit(saved ? 0 : 1);
