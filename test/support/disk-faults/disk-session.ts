import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { environmentIn, TestProcess } from '../processes.js';

const SOURCES = import.meta.dirname;

/** The answer of the session to one line. */
export interface SessionAnswer {
  readonly error?: string;
  readonly message?: string;
  readonly state?: string;
  readonly waitingBytes?: number;
  readonly position?: { readonly iteration: number; readonly offset: number };
}

/** How syncs of the log fail. */
export interface SyncFault {
  readonly error: 'ENOSPC' | 'EIO';
  /** `fsync`: DuckDB's alone. */
  readonly of: 'fsync' | 'both';
  /** How many succeed before. */
  readonly after?: number;
  /** `hold`: it waits until `letGo`, and fails then. */
  readonly how: 'hold' | 'at-once';
}

/** The core of the service in a process of its own, whose disk can be made to fail. */
export class DiskSession extends TestProcess {
  #answers = 0;

  constructor(
    private readonly folder: string,
    extra: Readonly<Record<string, string>> = {},
  ) {
    const env = environmentIn(folder, {
      SEED_DATABASE: 'false',
      R2_BACKUP_INTERVAL_MINUTES: '0',
      R2_WAL_SYNC_INTERVAL_MS: '1',
      FAIL_FSYNC: join(folder, 'fail-fsync'),
      ...extra,
    });
    super([process.execPath, join(SOURCES, 'session.mjs')], env, { cwd: folder });
  }

  async ready(): Promise<void> {
    await this.#answer();
  }

  async ask(line: object): Promise<SessionAnswer> {
    this.tell(JSON.stringify(line));
    return this.#answer();
  }

  /** Syncs of the log fail from now on, as the order says, until `letGo`. */
  failSync({ error, of, after = 0, how }: SyncFault): void {
    rmSync(this.#calls, { force: true });
    // Written elsewhere and renamed: it is never read half.
    writeFileSync(`${this.#order}.new`, `${constants.errno[error]} ${of} ${after} ${how}`);
    renameSync(`${this.#order}.new`, this.#order);
  }

  letGo(): void {
    rmSync(this.#order, { force: true });
  }

  /** Which syncs have failed since, or wait to: DuckDB calls fsync, Eider fdatasync. */
  get failing(): readonly string[] {
    return existsSync(this.#calls) ? readFileSync(this.#calls, 'utf8').trim().split('\n') : [];
  }

  get #order(): string {
    return join(this.folder, 'fail-fsync');
  }

  get #calls(): string {
    return `${this.#order}.calls`;
  }

  async #answer(): Promise<SessionAnswer> {
    const wanted = ++this.#answers;
    const lines = (): string[] => this.stdout.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
    await this.until(() => lines().length >= wanted, `answer ${wanted}`);
    return JSON.parse(lines()[wanted - 1] ?? '{}') as SessionAnswer;
  }
}

/** Whether syncs can be made to fail: that takes a C compiler and Linux. */
export const canFailSync = process.platform === 'linux' && hasCompiler();

/** Builds the library that is preloaded. */
export function failingFsync(folder: string): string {
  const library = join(folder, 'failing-fsync.so');
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, join(SOURCES, 'failing-fsync.c'), '-ldl']);
  return library;
}

function hasCompiler(): boolean {
  try {
    execFileSync('cc', ['--version']);
    return true;
  } catch {
    return false;
  }
}
