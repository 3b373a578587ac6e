import { Logger } from '@nestjs/common';
import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { databaseConcern } from '../../../src/config/database.config.js';
import { DatabaseService } from '../../../src/database/database.service.js';
import { PACKAGE_FOLDER } from '../../../src/runtime/application.js';
import { Clock } from '../../../src/runtime/clock.js';

// What is logged is not what these tests are about.
Logger.overrideLogger(false);

/** A folder of its own for one test. */
export async function testFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'eider-database-')));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** The variables of the database concern as the service would have them. */
export function databaseRules(path: string, env: Readonly<Record<string, string>> = {}) {
  return databaseConcern.parse({
    NODE_ENV: 'test',
    DUCKDB_PATH: path,
    DUCKDB_THREADS: '2',
    WRITE_DRAIN_TIMEOUT_MS: '100',
    ...env,
  });
}

/** A database service on a file; not opened. */
export function databaseAt(
  path: string,
  env: Readonly<Record<string, string>> = {},
  clock: Clock = new Clock(),
): DatabaseService {
  return new DatabaseService(databaseRules(path, env), clock);
}

/** A promise and the means to settle it: tests wait for conditions, never for time. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open: () => void = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** Runs a module in a process of its own; what it writes to stdout. `duckdb` and `path` are there for it. */
export async function inAnotherProcess(path: string, script: string): Promise<string> {
  const module = `import { DuckDBInstance } from '@duckdb/node-api'; const path = process.argv[1]; ${script}`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', module, path], {
    cwd: PACKAGE_FOLDER,
  });
  return stdout.trim();
}

/** Whether a second process can open the database for writing: it must not, as long as this one has it open. */
export async function secondProcessGetsIn(path: string): Promise<boolean> {
  const outcome = await inAnotherProcess(
    path,
    `try { await DuckDBInstance.create(path); console.log('in'); }
     catch (error) { console.log(/lock/i.test(error.message) ? 'locked' : error.message); }`,
  );
  if (outcome !== 'in' && outcome !== 'locked') throw new Error(outcome);
  return outcome === 'in';
}

/** Whether the kernel lists a lock of this process on the file. */
export function lockIsListed(path: string): boolean {
  const { ino } = statSync(path, { bigint: true });
  return readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .some((line) => line.includes(` ${process.pid} `) && line.includes(`:${ino} `));
}
