import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
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

  /** The next fsync of the log waits, and fails when `letGo` is called. */
  holdFsync(error: 'ENOSPC' | 'EIO'): void {
    writeFileSync(join(this.folder, 'fail-fsync'), String(constants.errno[error]));
  }

  letGo(): void {
    rmSync(join(this.folder, 'fail-fsync'), { force: true });
  }

  async #answer(): Promise<SessionAnswer> {
    const wanted = ++this.#answers;
    const lines = (): string[] => this.stdout.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
    await this.until(() => lines().length >= wanted, `answer ${wanted}`);
    return JSON.parse(lines()[wanted - 1] ?? '{}') as SessionAnswer;
  }
}

/** Builds the library; undefined where there is no compiler. */
export function failingFsync(folder: string): string | undefined {
  const library = join(folder, 'failing-fsync.so');
  try {
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, join(SOURCES, 'failing-fsync.c'), '-ldl']);
    return library;
  } catch {
    return undefined;
  }
}
