import { type DynamicModule, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { join } from 'node:path';
import { authConcern, authConfig } from '../../../src/config/auth.config.js';
import { databaseConfig } from '../../../src/config/database.config.js';
import { serviceConcern, serviceConfig } from '../../../src/config/service.config.js';
import { DatabaseService } from '../../../src/database/database.service.js';
import { Migrator } from '../../../src/database/migrator.js';
import { Seeder } from '../../../src/database/seeder.js';
import { EventsModule } from '../../../src/events/events.module.js';
import { configureApplication } from '../../../src/http/configure-application.js';
import { HttpModule } from '../../../src/http/http.module.js';
import { RuntimeModule } from '../../../src/runtime/runtime.module.js';
import { databaseRules, testFolder } from '../database/open-database.js';

@Module({})
class TestConfigModule {
  static at(path: string, env: Readonly<Record<string, string>>): DynamicModule {
    const providers = [
      { provide: serviceConfig.KEY, useValue: serviceConcern.parse({ NODE_ENV: 'test' }) },
      { provide: authConfig.KEY, useValue: authConcern.parse({ NODE_ENV: 'test' }) },
      { provide: databaseConfig.KEY, useValue: databaseRules(path, { SEED_DATABASE: 'true', ...env }) },
    ];
    return { module: TestConfigModule, global: true, providers, exports: providers.map(({ provide }) => provide) };
  }
}

/** The sample domain over HTTP, on a migrated and seeded database of its own. */
export interface EventsApp {
  readonly database: DatabaseService;
  get(path: string): Promise<{ status: number; body: Record<string, unknown> }>;
  post(path: string, body: unknown): Promise<{ status: number; body: Record<string, unknown> }>;
  close(): Promise<void>;
}

/** @param env - variables of the database that differ from their defaults */
export async function startEvents(env: Readonly<Record<string, string>> = {}): Promise<EventsApp> {
  const folder = await testFolder();
  @Module({
    imports: [TestConfigModule.at(join(folder.path, 'hesocial.duckdb'), env), RuntimeModule, HttpModule, EventsModule],
  })
  class TestModule {}
  const app = await NestFactory.create<NestExpressApplication>(TestModule, { bodyParser: false, logger: false });
  configureApplication(app);
  const database = app.get(DatabaseService, { strict: false });
  await database.open();
  await app.get(Migrator, { strict: false }).migrate();
  await app.get(Seeder, { strict: false }).seed();
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const send = async (path: string, init?: RequestInit) => {
    const response = await fetch(`${url}/api${path}`, init);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  return {
    database,
    get: (path) => send(path),
    post: (path, body) =>
      send(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
    close: async () => {
      await app.close();
      await database.close();
      await folder.remove();
    },
  };
}
