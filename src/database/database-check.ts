import { fork } from 'node:child_process';
import { EiderError } from '../errors/eider-error.js';
import { compiledFile } from '../runtime/compiled-file.js';
import type { CheckedTable, CheckReply, CheckTask } from './check-task.js';

/** A table as it should be; counts that are not exact are not compared. */
export interface ExpectedTable {
  readonly schema: string;
  readonly name: string;
  readonly rows: number;
  readonly exact: boolean;
}

/**
 * Opens a restored file in a process of its own, reads every value, and folds its log.
 *
 * @param expected - tables of the manifest; undefined where there is none
 * @throws EiderError RESTORE_CHECK_FAILED
 */
export async function checkDatabase(
  task: CheckTask,
  expected: readonly ExpectedTable[] | undefined,
  signal?: AbortSignal,
): Promise<readonly CheckedTable[]> {
  signal?.throwIfAborted();
  const reply = await ask(task, signal);
  if (!reply.ok) throw failed(`it cannot be read: ${reply.message}`);
  if (expected !== undefined) compareTables(expected, reply.tables);
  return reply.tables;
}

function ask(task: CheckTask, signal: AbortSignal | undefined): Promise<CheckReply> {
  return new Promise((resolve, reject) => {
    const child = fork(compiledFile(import.meta.url, './check-process.js'), [], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      execArgv: [],
    });
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
    child.send(task, (error) => error && reject(error));
  });
}

function compareTables(expected: readonly ExpectedTable[], found: readonly CheckedTable[]): void {
  const label = ({ schema, name }: { schema: string; name: string }): string => `${schema}.${name}`;
  const rows = new Map(found.map((table) => [label(table), table.rows]));
  for (const table of expected) {
    const count = rows.get(label(table));
    // Counts that were taken while commits came in are no yardstick, and a table may have come or gone with them.
    if (!table.exact) continue;
    if (count === undefined) throw failed(`the table ${label(table)} is missing`);
    if (count !== table.rows) throw failed(`the table ${label(table)} has ${count} rows in place of ${table.rows}`);
  }
}

function failed(why: string): EiderError {
  return new EiderError('RESTORE_CHECK_FAILED', `The restored database did not pass its check: ${why}.`);
}
