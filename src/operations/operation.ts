/** Kinds of long work that can be watched. */
export type OperationKind = 'backup' | 'restore' | 'verify' | 'retention';

export type OperationState = 'running' | 'succeeded' | 'failed';

/** Told by long work of its progress. All numbers are bytes. */
export interface Progress {
  /** The step under way, a short noun: `read`, `fetch`, `check`, `swap`. */
  step(name: string): void;
  /** How many bytes there are to do, once it is known. */
  total(bytes: number): void;
  /** That many more bytes are done. */
  advance(bytes: number): void;
}

/** For callers that do not watch. */
export const NO_PROGRESS: Progress = { step: () => {}, total: () => {}, advance: () => {} };

/** Long work as the API shows it. */
export interface Operation {
  readonly id: string;
  readonly kind: OperationKind;
  readonly state: OperationState;
  readonly step: string | null;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly bytesDone: number;
  readonly bytesTotal: number | null;
  /** Seconds to go at the speed so far; null while that is unknown. */
  readonly etaSeconds: number | null;
  /** What the work returned, when it succeeded. */
  readonly result: unknown;
  /** Problem document of the failure. */
  readonly error: unknown;
}
