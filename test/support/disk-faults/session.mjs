// A process whose disk is to fail: it opens a database as the service does, and runs what comes line by line on its
// standard input as JSON: {"sql": "…"}, {"durable": true}, {"status": true}. It answers each line with one of its own.
// Needs the build.
import { NestFactory } from '@nestjs/core';
import { createInterface } from 'node:readline';

const dist = (path) => import(new URL(`../../../dist/${path}.js`, import.meta.url).href);
const [{ CoreModule }, { DatabaseService }, { HttpModule }, { LifecycleModule }] = await Promise.all(
  ['core.module', 'database/database.service', 'http/http.module', 'lifecycle/lifecycle.module'].map(dist),
);
const [{ StartupService }, { OperationsModule }, { ReplicationService }] = await Promise.all(
  ['lifecycle/startup.service', 'operations/operations.module', 'replication/replication.service'].map(dist),
);

const imports = [CoreModule, HttpModule, OperationsModule, LifecycleModule];
const context = await NestFactory.createApplicationContext(
  { module: class SessionModule {}, imports },
  { logger: ['error', 'fatal', 'warn'], abortOnError: false },
);
const [database, replication, startup] = [DatabaseService, ReplicationService, StartupService].map((service) =>
  context.get(service, { strict: false }),
);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

async function answer({ sql, durable, status }) {
  if (sql !== undefined) await database.write((session) => session.run(sql));
  if (durable === true) await database.untilDurable();
  if (status === true) return { ...replication.status, lastError: replication.status.lastError?.code ?? null };
  return { position: database.files.position() };
}

await startup.open();
startup.beginSchedules();
say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  try {
    say(await answer(JSON.parse(line)));
  } catch (error) {
    say({ error: error.code ?? 'OTHER', message: error.message });
  }
}
process.exit(0);
