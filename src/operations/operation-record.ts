import { randomUUID } from 'node:crypto';
import { problemOf } from '../http/problem.js';
import type { Clock } from '../runtime/clock.js';
import type { Operation, OperationKind, OperationState, Progress } from './operation.js';

/** Long work under way or ended: what it told of its progress, and how to abort it. */
export class OperationRecord implements Progress {
  readonly id = randomUUID();
  readonly #abort = new AbortController();
  readonly #startedAt: Date;
  readonly #startedMs: number;
  #finishedAt: Date | null = null;
  #state: OperationState = 'running';
  #step: string | null = null;
  #bytesDone = 0;
  #bytesTotal: number | null = null;
  #result: unknown = null;
  #error: unknown = null;

  constructor(
    readonly kind: OperationKind,
    private readonly clock: Clock,
  ) {
    this.#startedAt = clock.now();
    this.#startedMs = clock.monotonicMs();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get running(): boolean {
    return this.#state === 'running';
  }

  /** Why the work was aborted; undefined while it was not. */
  get abortedFor(): unknown {
    return this.#abort.signal.aborted ? this.#abort.signal.reason : undefined;
  }

  abort(reason: Error): void {
    this.#abort.abort(reason);
  }

  step(name: string): void {
    this.#step = name;
  }

  total(bytes: number): void {
    this.#bytesTotal = bytes;
  }

  advance(bytes: number): void {
    this.#bytesDone += bytes;
  }

  succeed(result: unknown): void {
    this.#end('succeeded');
    this.#result = result ?? null;
  }

  fail(error: unknown): void {
    this.#end('failed');
    this.#error = problemOf(error);
  }

  /** The state at this moment; it does not change afterwards. */
  snapshot(): Operation {
    return {
      id: this.id,
      kind: this.kind,
      state: this.#state,
      step: this.#step,
      startedAt: this.#startedAt.toISOString(),
      finishedAt: this.#finishedAt?.toISOString() ?? null,
      bytesDone: this.#bytesDone,
      bytesTotal: this.#bytesTotal,
      etaSeconds: this.#eta(),
      result: this.#result,
      error: this.#error,
    };
  }

  #end(state: OperationState): void {
    this.#state = state;
    this.#finishedAt = this.clock.now();
  }

  /** The rest at the mean speed so far. Work may turn out larger than it was announced: then there is no estimate. */
  #eta(): number | null {
    if (!this.running || this.#bytesTotal === null || this.#bytesDone === 0) return null;
    const rest = this.#bytesTotal - this.#bytesDone;
    const elapsedMs = this.clock.monotonicMs() - this.#startedMs;
    if (rest < 0 || elapsedMs <= 0) return null;
    return Math.ceil((rest / this.#bytesDone) * (elapsedMs / 1000));
  }
}
