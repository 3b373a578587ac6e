// A process that has the database open and commits a small transaction every 10 ms: first alone, then while it takes a full
// backup, then while another program works on the same machine and store. Prints one JSON line of what it measured.
//
//   node bench/service.mjs '<the other program as a JSON array>'     (the environment is Eider's own)
import { NestFactory } from '@nestjs/core';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { BackupService } from '../dist/backup/backup.service.js';
import { BlockPool } from '../dist/block-pool/block-pool.js';
import { OfflineDatabase } from '../dist/cli/offline-database.js';
import { CoreModule } from '../dist/core.module.js';
import { DatabaseService } from '../dist/database/database.service.js';
import { Lineage } from '../dist/lineage/lineage.js';
import { OBJECT_STORE } from '../dist/object-store/object-store.js';
import { RestoreAtStart } from '../dist/restore/restore-at-start.js';
import { percentile } from './units.mjs';
import { peakOf, residentOf } from './process-figures.mjs';

/** Time between the beginnings of two commits, ms. */
const EVERY = 10;
const ALONE_MS = 10_000;

let commits = 0;

/**
 * Commits until the work is done. A latency counts from the moment at which the commit was due, so that a stall of the
 * process counts once for each commit that it held up.
 */
async function committing(database, work) {
  let done = false;
  const loop = monitorEventLoopDelay({ resolution: 5 });
  loop.enable();
  const result = work().finally(() => (done = true));
  const latencies = [];
  let duckdb = 0;
  const started = performance.now();
  for (let n = 0; !done; n++) {
    const due = started + n * EVERY;
    if (due > performance.now()) await pause(due - performance.now());
    const id = commits++;
    await database.write((session) =>
      session.run('INSERT INTO commits VALUES (?, now()::TIMESTAMP, ?)', [id, `guest ${id} was here`]),
    );
    latencies.push(performance.now() - due);
    if (n % 50 === 0) duckdb = Math.max(duckdb, await duckdbMemory(database));
  }
  const value = await result;
  const p = (share) => percentile(latencies, share);
  return { value, count: latencies.length, p50: p(0.5), p99: p(0.99), max: p(1), loop: loop.max / 1e6, duckdb };
}

async function duckdbMemory(database) {
  const row = await database.read((session) =>
    session.first('SELECT sum(memory_usage_bytes)::DOUBLE AS bytes FROM duckdb_memory()'),
  );
  return row.bytes;
}

/** From here on the kernel's high-water mark of this process begins anew. */
function forgetPeak() {
  writeFileSync('/proc/self/clear_refs', '5');
}

async function runOther(command) {
  const child = spawn(command[0], command.slice(1), { stdio: 'ignore' });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${command[0]} ended with ${code}`);
}

const context = await NestFactory.createApplicationContext(CoreModule, { logger: ['error'] });
const loaded = residentOf(process.pid);
const offline = new OfflineDatabase({
  database: context.get(DatabaseService),
  lineage: context.get(Lineage),
  backups: context.get(BackupService),
  start: context.get(RestoreAtStart),
});
const measured = await offline.use(async () => {
  const { database, backups } = offline;
  await database.write((session) => session.run('DELETE FROM commits'));
  const alone = await committing(database, () => pause(ALONE_MS));
  const idle = residentOf(process.pid);
  forgetPeak();
  const started = performance.now();
  const backup = await committing(database, () => backups.create({ trigger: 'manual' }));
  const seconds = (performance.now() - started) / 1000;
  const peak = peakOf(process.pid);
  const other =
    process.argv[2] === undefined ? null : await committing(database, () => runOther(JSON.parse(process.argv[2])));
  return { memory: { loaded, idle, peak, duckdb: backup.duckdb }, seconds, alone, backup, other };
});
await context.get(BlockPool).close();
await context.get(OBJECT_STORE).close();
await context.close();
const { value: _, ...backup } = measured.backup;
console.log(JSON.stringify({ ...measured, backup }));
