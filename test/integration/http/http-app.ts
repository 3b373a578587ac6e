import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { KEY_ANNOUNCER } from '../../../src/auth/api-keys.js';
import { AuthModule } from '../../../src/auth/auth.module.js';
import { authConcern, authConfig } from '../../../src/config/auth.config.js';
import { serviceConcern, serviceConfig } from '../../../src/config/service.config.js';
import { configureApplication } from '../../../src/http/configure-application.js';
import { HttpModule } from '../../../src/http/http.module.js';
import { OperationsModule } from '../../../src/operations/operations.module.js';
import { RuntimeModule } from '../../../src/runtime/runtime.module.js';
import { ADMIN_API_KEYS } from '../../support/admin-keys.js';

/** A line that the application logged. */
export interface LogLine {
  readonly level: 'log' | 'error' | 'warn';
  readonly message: unknown;
  readonly rest: readonly unknown[];
}

/** An application on a port of its own, made of the HTTP edge and the controllers of one test. */
export interface HttpApp {
  readonly app: NestExpressApplication;
  readonly url: string;
  readonly log: readonly LogLine[];
  /** What was shown on the console instead of logged. */
  readonly announced: readonly string[];
  /** Sends a request; a path begins with `/api`. */
  send(path: string, init?: RequestInit & { key?: string }): Promise<Response>;
  close(): Promise<void>;
}

@Module({})
class TestConfigModule {
  static with(env: Record<string, string>, announce: (text: string) => void): DynamicModule {
    const providers = [
      { provide: serviceConfig.KEY, useValue: serviceConcern.parse(env) },
      { provide: authConfig.KEY, useValue: authConcern.parse(env) },
      { provide: KEY_ANNOUNCER, useValue: announce },
    ];
    return { module: TestConfigModule, global: true, providers, exports: providers.map(({ provide }) => provide) };
  }
}

/** @param env - in place of the environment of the process; the keys of KEYS are set unless it says otherwise */
export async function startHttp(controllers: readonly Type[], env: Record<string, string> = {}): Promise<HttpApp> {
  const log: LogLine[] = [];
  const announced: string[] = [];
  const variables = { NODE_ENV: 'test', ADMIN_API_KEYS, ...env };

  @Module({
    imports: [
      TestConfigModule.with(variables, (text) => announced.push(text)),
      RuntimeModule,
      HttpModule,
      AuthModule,
      OperationsModule,
    ],
    controllers: [...controllers],
  })
  class TestModule {}

  const keep =
    (level: LogLine['level']) =>
    (message: unknown, ...rest: unknown[]): void =>
      void log.push({ level, message, rest });
  const app = await NestFactory.create<NestExpressApplication>(TestModule, {
    bodyParser: false,
    abortOnError: false,
    logger: { log: keep('log'), error: keep('error'), warn: keep('warn') },
  });
  configureApplication(app);
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  return {
    app,
    url,
    log,
    announced,
    send: (path, { key, headers, ...init } = {}) => {
      const all = new Headers(headers);
      if (key !== undefined) all.set('authorization', `Bearer ${key}`);
      return fetch(`${url}${path}`, { ...init, headers: all });
    },
    close: () => app.close(),
  };
}
