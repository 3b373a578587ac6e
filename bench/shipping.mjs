// A process that has the database open and ships its commits. Prints one JSON line of what it measured.
//
//   node bench/shipping.mjs <task> <number>     (the environment is Eider's own)
//
// insert <seconds>: commits of four writers, as many as go. idle <seconds>: processor time without a commit. durable <count>:
// latency of durable commits, one after the other, beside PUTs of the same size. records <count>: ships one commit in each. cost
// <count> <workloads> <commits>: a full backup, then for each workload records of one commit, and incremental backups with
// retention, each after so many commits; its parent is told of each, and counts.
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { BackupService } from '../dist/backup/backup.service.js';
import { RetentionService } from '../dist/backup/retention.service.js';
import { BlockPool } from '../dist/block-pool/block-pool.js';
import { CoreModule } from '../dist/core.module.js';
import { DatabaseService } from '../dist/database/database.service.js';
import { Lineage } from '../dist/lineage/lineage.js';
import { OBJECT_STORE } from '../dist/object-store/object-store.js';
import { ReplicationLoop } from '../dist/replication/replication-loop.js';
import { ReplicationModule } from '../dist/replication/replication.module.js';
import { ReplicationService } from '../dist/replication/replication.service.js';
import { percentile } from './units.mjs';
import { WORKLOADS } from './workloads.mjs';

const WRITERS = 4;

class ShippingModule {}
Module({ imports: [CoreModule, ReplicationModule] })(ShippingModule);

const [task, amount] = [process.argv[2], Number(process.argv[3])];
const context = await NestFactory.createApplicationContext(ShippingModule, { logger: ['error'] });
const database = context.get(DatabaseService);
const replication = context.get(ReplicationService);
const loop = context.get(ReplicationLoop);
const store = context.get(OBJECT_STORE);

await database.open();
await context.get(Lineage).begin({ path: database.path, identifier: database.files.header().identifier });
await database.write((session) =>
  session.run('CREATE TABLE IF NOT EXISTS shipped (id BIGINT, shipped_at TIMESTAMP, what VARCHAR)'),
);
if (replication.state !== 'off') {
  await replication.connect();
  if (replication.state !== 'shipping') await context.get(BackupService).create({ trigger: 'checkpoint' });
  loop.start();
}

let commits = 0;
const commit = (run) =>
  run((session) =>
    session.run('INSERT INTO shipped VALUES (?, now()::TIMESTAMP, ?)', [commits++, `guest ${commits} was here`]),
  );
const write = () => commit((work) => database.write(work));

const tasks = {
  async insert(seconds) {
    const until = performance.now() + seconds * 1000;
    const lags = [];
    const watch = setInterval(() => {
      const { waitingSince } = replication.status;
      lags.push(waitingSince === null ? 0 : Date.now() - Date.parse(waitingSince));
    }, 20);
    const started = performance.now();
    await Promise.all(
      Array.from({ length: WRITERS }, async () => {
        while (performance.now() < until) await write();
      }),
    );
    clearInterval(watch);
    const took = (performance.now() - started) / 1000;
    return {
      perSecond: commits / took,
      lag: { p50: percentile(lags, 0.5), p99: percentile(lags, 0.99), max: percentile(lags, 1) },
      records: replication.status.records,
    };
  },
  async idle(seconds) {
    await write();
    await pause(5_000);
    const before = process.cpuUsage();
    const records = replication.status.records;
    await pause(seconds * 1000);
    const { user, system } = process.cpuUsage(before);
    return { share: (user + system) / 1e6 / seconds, records: replication.status.records - records };
  },
  async durable(count) {
    const [durable, puts] = [[], []];
    for (let n = 0; n < count; n++) {
      let started = performance.now();
      await commit((work) => database.durable(work));
      durable.push(performance.now() - started);
      // As large as the record of such a commit.
      started = performance.now();
      await store.put(`doctor/bench-${n}`, Buffer.alloc(1_200, n), { ifAbsent: true });
      puts.push(performance.now() - started);
    }
    const figures = (values) => ({
      p50: percentile(values, 0.5),
      p90: percentile(values, 0.9),
      p99: percentile(values, 0.99),
    });
    return { durable: figures(durable), put: figures(puts) };
  },
  async cost(count, [workloads, perBackup]) {
    await loop.stop();
    const ship = async (workload, many) => {
      for (let n = 0; n < many; n++) await database.write((session) => WORKLOADS[workload](session, commits++));
      replication.look();
      await replication.ship();
    };
    await tell('full');
    for (const workload of workloads.split(',')) {
      for (let n = 0; n < 10; n++) await ship(workload, 1);
      await tell('records');
      for (let n = 0; n < count; n++) {
        await ship(workload, Number(perBackup));
        await tell('commits');
        const { manifest } = await context.get(BackupService).create({ trigger: 'interval' });
        await context.get(RetentionService).run();
        if (manifest.kind !== 'incremental') throw new Error(`${manifest.name} is ${manifest.kind}`);
        // The full pack is the largest.
        const lengths = manifest.packs.map(({ length }) => length);
        await tell('backup', lengths.reduce((sum, length) => sum + length, 0) - Math.max(...lengths));
      }
    }
    return {};
  },
  async records(count) {
    await loop.stop();
    for (let n = 0; n < count; n++) {
      await write();
      replication.look();
      await replication.ship();
    }
    return { records: replication.status.records };
  },
};

/** What came before was counted once the parent has answered. */
async function tell(mark, needed) {
  process.send({ mark, needed });
  await once(process, 'message');
}

const measured = await tasks[task](amount, process.argv.slice(4));
await loop.stop();
await replication.stop();
await database.close();
await context.get(BlockPool).close();
await store.close();
await context.close();
console.log(JSON.stringify(measured));
if (process.connected) process.disconnect();
