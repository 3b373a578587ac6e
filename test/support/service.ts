import type { LoggerService } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { join } from 'node:path';
import { AppModule } from '../../src/app.module.js';
import { CONCERNS } from '../../src/config/configuration.js';
import { configureApplication } from '../../src/http/configure-application.js';
import { ShutdownService } from '../../src/lifecycle/shutdown.service.js';
import { StartupService } from '../../src/lifecycle/startup.service.js';
import { OBJECT_STORE, type ObjectStore } from '../../src/object-store/object-store.js';
import { Clock } from '../../src/runtime/clock.js';
import { ADMIN_API_KEYS } from './admin-keys.js';
import { AnswerCheck } from './answer-check.js';
import { temporaryFolder } from './core.js';

/** The clock of the machine, which a test can move forward. */
export class MovableClock extends Clock {
  #ahead = 0;

  override now(): Date {
    return new Date(Date.now() + this.#ahead);
  }

  override monotonicMs(): number {
    return performance.now() + this.#ahead;
  }

  advance(ms: number): void {
    this.#ahead += ms;
  }
}

export interface ServiceOptions {
  /** In place of the environment of the process. */
  readonly env?: Readonly<Record<string, string>>;
  /** In place of the folder store. */
  readonly store?: ObjectStore;
  /** Data of an earlier service; kept when this one is closed. */
  readonly folder?: string;
}

export interface Sent {
  readonly key?: string;
  readonly method?: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer<T = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  /** Undefined where there is none. */
  readonly body: T;
}

/** The whole service in this process, started as `main` starts it, around a folder of its own. */
export class TestService {
  /** Everything that was logged, as text and with nothing masked. */
  readonly log: string[] = [];
  /** Every body that was answered, as text. */
  readonly bodies: string[] = [];
  readonly clock = new MovableClock();
  app!: NestExpressApplication;
  url!: string;
  #answers!: AnswerCheck;

  private constructor(
    readonly folder: string,
    private readonly removeFolder: () => Promise<void>,
  ) {}

  static async start(options: ServiceOptions = {}): Promise<TestService> {
    const { path, remove } =
      options.folder === undefined
        ? await temporaryFolder()
        : { path: options.folder, remove: () => Promise.resolve() };
    const service = new TestService(path, remove);
    await service.#start(options);
    return service;
  }

  get database(): string {
    return join(this.folder, 'hesocial.duckdb');
  }

  /** Folder of the repository, where it is not in a bucket. */
  get repository(): string {
    return join(this.folder, 'repository', 'backups');
  }

  get<T>(token: abstract new (...parameters: never[]) => T): T {
    return this.app.get<T>(token as never, { strict: false });
  }

  /** Sends a request; the path begins after `/api`. The answer is checked against the OpenAPI document. */
  async send<T = Record<string, unknown>>(path: string, sent: Sent = {}): Promise<Answer<T>> {
    const response = await this.fetch(path, sent);
    const text = await response.text();
    this.bodies.push(text);
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    const body: unknown = text === '' ? undefined : isJson ? JSON.parse(text) : text;
    this.#answers.check(sent.method ?? 'GET', `/api${path}`, response, body);
    return { status: response.status, headers: response.headers, body: body as T };
  }

  /** Sends a request and leaves the answer alone. */
  fetch(path: string, { key, method = 'GET', body, headers }: Sent = {}, signal?: AbortSignal): Promise<Response> {
    const all = new Headers(headers);
    if (key !== undefined) all.set('authorization', `Bearer ${key}`);
    if (body !== undefined) all.set('content-type', 'application/json');
    return fetch(`${this.url}/api${path}`, {
      method,
      headers: all,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  /** Ends the service as a shutdown whose time is up does: without a last backup. */
  async close(): Promise<void> {
    await this.get(ShutdownService).run(AbortSignal.abort());
    await this.app.close();
    await this.removeFolder();
  }

  async #start({ env = {}, store }: ServiceOptions): Promise<void> {
    const variables = {
      NODE_ENV: 'test',
      ADMIN_API_KEYS,
      ADMIN_RATE_LIMIT_PER_MINUTE: '100000',
      DUCKDB_PATH: this.database,
      BACKUP_LOCAL_DIR: join(this.folder, 'repository'),
      // Backups happen when a test asks for them.
      R2_BACKUP_INTERVAL_MINUTES: '0',
      R2_WAL_SYNC_INTERVAL_MS: '0',
      SEED_DATABASE: 'true',
      ...env,
    };
    const builder = Test.createTestingModule({ imports: [AppModule] });
    for (const concern of CONCERNS) {
      builder.overrideProvider(concern.provider.KEY).useValue(concern.parse(variables));
    }
    builder.overrideProvider(Clock).useValue(this.clock);
    if (store !== undefined) builder.overrideProvider(OBJECT_STORE).useValue(store);
    const logger = this.#logger();
    const module = await builder.setLogger(logger).compile();
    this.app = module.createNestApplication<NestExpressApplication>({ bodyParser: false, logger });
    configureApplication(this.app);
    this.#answers = new AnswerCheck(this.app);
    const startup = this.get(StartupService);
    await startup.open();
    await this.app.listen(0, '127.0.0.1');
    startup.beginSchedules();
    this.url = await this.app.getUrl();
  }

  #logger(): LoggerService {
    const keep = (...parts: unknown[]): void =>
      void this.log.push(parts.map((part) => (typeof part === 'string' ? part : JSON.stringify(part))).join(' '));
    return { log: keep, error: keep, warn: keep };
  }
}
