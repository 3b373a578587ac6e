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

/** The status of a process that a signal ended: 128 and its number, as shells do. */
export function exitStatusOf(signal: StopSignal): number {
  return 128 + (signal === 'SIGTERM' ? 15 : 2);
}

/**
 * Calls `first` at the first signal and leaves at once at the second: by then the database file is as safe as after a
 * crash, which DuckDB's log covers.
 */
export function onStopSignal(first: (signal: StopSignal) => void): void {
  let stopping = false;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (stopping) process.exit(exitStatusOf(signal));
      stopping = true;
      first(signal);
    });
  }
}
