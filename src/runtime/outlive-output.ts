/**
 * Lets the process outlive the reader of its output. When a pipe's reader is gone, as `tee` is after Ctrl-C, writing a
 * log line would otherwise end the process in the middle of its last backup.
 */
export function outliveOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
}
