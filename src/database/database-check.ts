import { type ChildProcess, fork } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { EiderError } from '../errors/eider-error.js';
import { compiledFile } from '../runtime/compiled-file.js';
import type { CheckedTable, CheckReply, CheckTask } from './check-task.js';

/** A table as it should be; counts that are not exact are not compared. */
export interface ExpectedTable {
  readonly schema: string;
  readonly name: string;
  readonly rows: number;
  readonly exact: boolean;
  /** Sum of the hashes of all rows, in decimal; null where it is not known. */
  readonly hash: string | null;
}

/** What a restored file should hold. */
export interface ExpectedContents {
  readonly tables: readonly ExpectedTable[];
  /** The DuckDB that hashed them: another one may hash otherwise, so its hashes are not compared. */
  readonly duckdbVersion: string;
}

/**
 * A process that opens a restored file, reads every value, and folds its log. It may be started while the file is still being
 * fetched, so that it has loaded DuckDB by then.
 */
export class DatabaseCheck {
  readonly #child: ChildProcess;
  readonly #reply: Promise<CheckReply>;

  /** @param signal - ends the process */
  constructor(signal?: AbortSignal) {
    this.#child = fork(compiledFile(import.meta.url, './check-process.js'), [], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      execArgv: [],
    });
    // It takes all cores that it can get, and this process may have queries to answer. From here, so that all of its threads
    // begin with it: on Linux each has a priority of its own, which it takes over from the one that starts it.
    const { pid } = this.#child;
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
    this.#reply = replyOf(this.#child, signal);
    // It may end before it is asked: that is told then.
    this.#reply.catch(() => {});
  }

  /**
   * Has the file read. Once.
   *
   * @param expected - undefined where nothing tells
   * @throws EiderError RESTORE_CHECK_FAILED, RESTORE_NO_SPACE; the signal's reason
   */
  async run(task: CheckTask, expected: ExpectedContents | undefined): Promise<ExpectedContents> {
    // Where it cannot be sent, the process has ended, which is told better.
    if (this.#child.connected) this.#child.send(task, () => {});
    return contentsOf(await this.#reply, task, expected);
  }

  /** Ends the process, whatever it does. Idempotent. */
  end(): void {
    this.#child.kill('SIGKILL');
  }
}

/** As `DatabaseCheck.run`, by a process that is started now. */
export async function checkDatabase(
  task: CheckTask,
  expected: ExpectedContents | undefined,
  signal?: AbortSignal,
): Promise<ExpectedContents> {
  signal?.throwIfAborted();
  return new DatabaseCheck(signal).run(task, expected);
}

function contentsOf(reply: CheckReply, task: CheckTask, expected: ExpectedContents | undefined): ExpectedContents {
  if (!reply.ok && /No space left on device|ENOSPC/i.test(reply.message)) {
    throw new EiderError(
      'RESTORE_NO_SPACE',
      `The disk became full while ${task.path} was checked: no space left on device.`,
    );
  }
  if (!reply.ok) throw failed(`it cannot be read: ${reply.message}`);
  const { tables, duckdbVersion } = reply;
  if (expected !== undefined) compareTables(expected, tables, expected.duckdbVersion === duckdbVersion);
  return { tables: tables.map((table) => ({ ...table, exact: true })), duckdbVersion };
}

function replyOf(child: ChildProcess, signal: AbortSignal | undefined): Promise<CheckReply> {
  return new Promise((resolve, reject) => {
    let answered = false;
    let errors = '';
    const abort = (): void => void child.kill('SIGKILL');
    signal?.addEventListener('abort', abort, { once: true });
    child.stderr?.on('data', (chunk: Buffer) => (errors = `${errors}${chunk.toString()}`.slice(-2_000)));
    child.once('message', (reply) => {
      answered = true;
      // The process is ours and sends nothing else.
      resolve(reply as CheckReply);
    });
    child.once('error', reject);
    child.once('exit', (code, killedBy) => {
      signal?.removeEventListener('abort', abort);
      if (signal?.aborted === true) reject(signal.reason as Error);
      if (!answered)
        reject(failed(`the checking process ended with ${killedBy ?? code ?? 'no status'}. ${errors}`.trim()));
    });
  });
}

function compareTables(expected: ExpectedContents, found: readonly CheckedTable[], hashesAlike: boolean): void {
  const label = ({ schema, name }: { schema: string; name: string }): string => `${schema}.${name}`;
  const checked = new Map(found.map((table) => [label(table), table]));
  for (const table of expected.tables) {
    // Counts that were taken while commits came in are no yardstick, and a table may have come or gone with them.
    if (!table.exact) continue;
    const there = checked.get(label(table));
    if (there === undefined) throw failed(`the table ${label(table)} is missing`);
    if (there.rows !== table.rows) {
      throw failed(`the table ${label(table)} has ${there.rows} rows in place of ${table.rows}`);
    }
    if (hashesAlike && table.hash !== null && there.hash !== table.hash) {
      throw failed(`the table ${label(table)} has other contents than when it was backed up`);
    }
  }
}

function failed(why: string): EiderError {
  return new EiderError('RESTORE_CHECK_FAILED', `The restored database did not pass its check: ${why}.`);
}
