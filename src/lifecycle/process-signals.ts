/** The signals that end the service. */
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
export type StopSignal = (typeof SIGNALS)[number];

/** Exit statuses of the service. */
export const EXIT = {
  /** Everything committed is in the repository. */
  clean: 0,
  /** The start was refused, or the last backup failed: the local file is whole and is shipped by the next start. */
  failed: 1,
} as const;

/**
 * A signal that comes again within this time is the same request, ms: Ctrl-C reaches every process of the terminal, and
 * what started this one (npm, a supervisor) may pass it on once more. The last backup must not be lost to that.
 */
const ECHO_MS = 1_000;

/** The status of a process that a signal ended: 128 and its number, as shells do. */
export function exitStatusOf(signal: StopSignal): number {
  return 128 + (signal === 'SIGTERM' ? 15 : 2);
}

/**
 * Calls `first` at the first signal and leaves at once at the second: by then the database file is as safe as after a
 * crash, which DuckDB's log covers.
 */
export function onStopSignal(first: (signal: StopSignal) => void): void {
  let stopping: { readonly signal: StopSignal; readonly at: number } | undefined;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      const now = performance.now();
      if (stopping === undefined) {
        stopping = { signal, at: now };
        first(signal);
      } else if (signal !== stopping.signal || now - stopping.at >= ECHO_MS) {
        process.exit(exitStatusOf(signal));
      }
    });
  }
}

/** Calls `report` for what nothing handled: a rejected promise, or something thrown outside of every promise. */
export function onUnhandledError(report: (error: unknown) => void): void {
  // Node turns rejections that nothing handles into this event, too.
  process.on('uncaughtException', report);
}
