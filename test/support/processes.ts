import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { OwnBucket } from './s3/s3-passage.js';

const ROOT = join(import.meta.dirname, '..', '..');
export const MAIN = join(ROOT, 'dist', 'main.js');
export const CLI = join(ROOT, 'dist', 'cli.js');

/** How a process ended: its exit status, or the signal that ended it. */
export type Exit = number | NodeJS.Signals;

/** The admin key of services that tests start. */
export const ADMIN_KEY = 'test-admin-key';
const ADMIN_API_KEYS = `test:admin:${createHash('sha256').update(ADMIN_KEY).digest('hex')}`;

/** The variables of a service with its database and repository in one folder. Nothing of the test's own environment. */
export function environmentIn(folder: string, extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    NODE_ENV: 'test',
    HOST: '127.0.0.1',
    PORT: '0',
    DUCKDB_PATH: join(folder, 'hesocial.duckdb'),
    BACKUP_LOCAL_DIR: join(folder, 'repository'),
    ADMIN_API_KEYS,
    // It takes a backup by itself, which most tests would have to count; those of replication turn it on.
    R2_WAL_SYNC_INTERVAL_MS: '0',
    ...extra,
  };
}

/** The variables that point a service at a bucket, with few and quick retries. */
export function bucketOf(server: Omit<OwnBucket, 'remove'>): Record<string, string> {
  return {
    R2_SYNC_ENABLED: 'true',
    R2_ENDPOINT: server.endpoint,
    R2_REGION: server.region,
    R2_BUCKET_NAME: server.bucket,
    R2_ACCESS_KEY_ID: server.credentials.accessKeyId,
    R2_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
    R2_MAX_ATTEMPTS: '2',
  };
}

/** A process under test: everything it wrote, and how it ended. */
export class TestProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lookouts = new Set<() => void>();
  readonly exited: Promise<Exit>;
  stdout = '';
  stderr = '';
  #ended = false;

  constructor(
    command: readonly string[],
    env: Readonly<Record<string, string>>,
    options: { readonly cwd?: string; readonly detached?: boolean } = {},
  ) {
    const [file = process.execPath, ...args] = command;
    this.#child = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'pipe'], ...options });
    // A process that has ended reads no more.
    this.#child.stdin.on('error', () => {});
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => this.#take(text, ''));
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => this.#take('', text));
    // `close` comes after the last byte of the output, `exit` may not.
    this.exited = once(this.#child, 'close').then(([code, signal]) => {
      this.#ended = true;
      this.#look();
      return (code ?? signal) as Exit;
    });
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error('the process did not start');
    return pid;
  }

  get running(): boolean {
    return !this.#ended;
  }

  get output(): string {
    return this.stdout + this.stderr;
  }

  /** Resolves when the output matches; rejects when the process ends without it. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    let match: RegExpExecArray | null = null;
    await this.until(() => (match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr)) !== null, String(pattern));
    if (match === null) throw new Error('unreachable');
    return match;
  }

  /** Resolves when a condition on what the process wrote is met; rejects when the process ends before that. */
  async until(condition: () => boolean, what: string): Promise<void> {
    while (!condition()) {
      if (this.#ended) throw new Error(`the process ended (${await this.exited}) before ${what}:\n${this.output}`);
      await new Promise<void>((resolve) => this.#lookouts.add(resolve));
    }
  }

  /** Writes a line to the standard input. */
  tell(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends the process, and waits. For the end of a test; harmless when it has ended already. */
  async kill(): Promise<void> {
    if (this.#ended) return;
    this.#child.kill('SIGKILL');
    await this.exited;
  }

  /** Stops reading what the process writes, as a reader that has ended does. */
  closeOutput(): void {
    this.#child.stdout.destroy();
    this.#child.stderr.destroy();
  }

  #take(stdout: string, stderr: string): void {
    this.stdout += stdout;
    this.stderr += stderr;
    this.#look();
  }

  #look(): void {
    for (const look of this.#lookouts) look();
    this.#lookouts.clear();
  }
}

/** The built service as a process. */
export class TestService extends TestProcess {
  #url = '';

  constructor(env: Readonly<Record<string, string>>, nodeOptions: readonly string[] = []) {
    super([process.execPath, ...nodeOptions, MAIN], env, { cwd: env['HOME'] ?? '.' });
  }

  /** Starts a service and waits until it serves. */
  static async serving(env: Readonly<Record<string, string>>): Promise<TestService> {
    const service = new TestService(env);
    await service.ready();
    return service;
  }

  async ready(): Promise<void> {
    const [, url = ''] = await this.says(/Eider is running at ([^\s"]+)/);
    this.#url = url;
  }

  get url(): string {
    if (this.#url === '') throw new Error('the service is not serving yet');
    return this.#url;
  }

  /** Sends a request, to the admin API with the key: other requests that carry one count for the rate limit. */
  fetch(
    path: string,
    init: Omit<RequestInit, 'headers'> & { json?: unknown; headers?: Record<string, string> } = {},
  ): Promise<Response> {
    const { json, ...rest } = init;
    const key = path.startsWith('/admin') ? { authorization: `Bearer ${ADMIN_KEY}` } : {};
    const headers = { 'content-type': 'application/json', ...key, ...rest.headers };
    return fetch(`${this.url}/api${path}`, {
      ...rest,
      headers,
      ...(json === undefined ? {} : { method: 'POST', body: JSON.stringify(json) }),
    });
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.signal(signal);
    return this.exited;
  }
}

/** Runs a command line to its end. */
export async function runCli(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ status: Exit; stdout: string; stderr: string }> {
  const cli = new TestProcess([process.execPath, CLI, ...args], env, { cwd: env['HOME'] ?? '.' });
  const status = await cli.exited;
  return { status, stdout: cli.stdout, stderr: cli.stderr };
}
