import type { FilePosition } from '../duckdb-format/file-position.js';
import { EiderError, isEiderError } from '../errors/eider-error.js';
import type { ShippedPosition } from './shipped-position.js';

/** Seconds after which a caller may look again whether its commit is in the store. */
const RETRY_AFTER_SECONDS = 5;

/** Lets callers wait until their commits are in the store. */
export class DurableCommits {
  #act: () => void = () => {};

  /**
   * @param timeoutMs - how long one waits
   * @param lastFailure - why nothing was shipped, where that is known
   */
  constructor(
    private readonly shipped: ShippedPosition,
    private readonly timeoutMs: number,
    private readonly lastFailure: () => string | undefined,
  ) {}

  /** Called when somebody waits. */
  onAwaited(act: () => void): void {
    this.#act = act;
  }

  /**
   * Resolves when a position is in the store.
   *
   * @throws EiderError COMMIT_NOT_DURABLE, REPLICATION_FENCED, DATABASE_CLOSED
   */
  async reached(position: FilePosition, signal?: AbortSignal): Promise<void> {
    const late = AbortSignal.timeout(this.timeoutMs);
    const reached = this.shipped.reached(position, signal === undefined ? late : AbortSignal.any([signal, late]));
    this.#act();
    try {
      await reached;
    } catch (error) {
      if (isEiderError(error)) throw error;
      const why = this.lastFailure() ?? `it took longer than ${this.timeoutMs} ms`;
      throw new EiderError('COMMIT_NOT_DURABLE', `The commit is in the local database, and not in the store: ${why}.`, {
        cause: error,
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
  }
}
