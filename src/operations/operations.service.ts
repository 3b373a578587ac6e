import { Injectable, Logger } from '@nestjs/common';
import { EiderError, isEiderError, messageOf } from '../errors/eider-error.js';
import { Clock } from '../runtime/clock.js';
import { OperationRecord } from './operation-record.js';
import type { Operation, OperationKind, Progress } from './operation.js';

/** Long work that was started. */
export interface StartedOperation<T> {
  /** The state just after the start. */
  readonly operation: Operation;
  /** Settles as the work does. Nobody has to await it: a failure is kept in the operation and logged. */
  readonly finished: Promise<T>;
}

/** How many operations are remembered; those still running are never forgotten. */
export const OPERATIONS_KEPT = 200;

/** Long work that can be watched: backups, restores, verifications. Kept in memory only. */
@Injectable()
export class OperationsService {
  readonly #logger = new Logger('Operations');
  /** In the order of their start. */
  readonly #records = new Map<string, OperationRecord>();
  readonly #unfinished = new Set<Promise<unknown>>();
  #refusal: string | undefined;

  constructor(private readonly clock: Clock) {}

  /**
   * Starts long work.
   *
   * @param work - told where to report its progress, and aborted by the signal at a shutdown
   * @throws EiderError SHUTTING_DOWN after `abortAll`
   */
  start<T>(kind: OperationKind, work: (progress: Progress, signal: AbortSignal) => Promise<T>): StartedOperation<T> {
    if (this.#refusal !== undefined) {
      throw new EiderError('SHUTTING_DOWN', `No ${kind} is started: ${this.#refusal}.`);
    }
    const record = new OperationRecord(kind, this.clock);
    this.#records.set(record.id, record);
    this.#forgetOldest();
    const finished = this.#run(record, work);
    this.#unfinished.add(finished);
    // Also handles the failure: a promise that nobody awaits would end the process.
    const settled = (): void => void this.#unfinished.delete(finished);
    finished.then(settled, settled);
    return { operation: record.snapshot(), finished };
  }

  /** @throws EiderError OPERATION_NOT_FOUND */
  get(id: string): Operation {
    const record = this.#records.get(id);
    if (record === undefined) throw new EiderError('OPERATION_NOT_FOUND', 'There is no operation with this id.');
    return record.snapshot();
  }

  /** Newest first. */
  list(): readonly Operation[] {
    return [...this.#records.values()].reverse().map((record) => record.snapshot());
  }

  /** Aborts what is running, except work of one kind, and starts nothing any more. */
  abortAll(reason: string, except?: OperationKind): void {
    this.#refusal ??= reason;
    for (const record of this.#records.values()) {
      if (record.running && record.kind !== except)
        record.abort(new EiderError('SHUTTING_DOWN', `The ${record.kind} was ended: ${reason}.`));
    }
  }

  /** Resolves when nothing is running. */
  async idle(): Promise<void> {
    while (this.#unfinished.size > 0) await Promise.allSettled(this.#unfinished);
  }

  async #run<T>(record: OperationRecord, work: (progress: Progress, signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      const result = await work(record, record.signal);
      record.succeed(result);
      return result;
    } catch (thrown) {
      // Whoever asked for the work must learn why it was aborted, not which request that hit.
      const error: unknown = isEiderError(thrown, 'STORE_ABORTED') ? (record.abortedFor ?? thrown) : thrown;
      record.fail(error);
      this.#logger.error(
        `${record.kind} ${record.id} failed: ${messageOf(error)}`,
        isEiderError(error) ? undefined : error instanceof Error ? error.stack : undefined,
      );
      throw error;
    }
  }

  #forgetOldest(): void {
    for (const [id, record] of this.#records) {
      if (this.#records.size <= OPERATIONS_KEPT) return;
      if (!record.running) this.#records.delete(id);
    }
  }
}
