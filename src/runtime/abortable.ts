/**
 * Settles as the work does, or rejects with the signal's reason when that is aborted first.
 *
 * The work itself goes on: only for what may be left behind, such as a request whose outcome no longer matters.
 */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  // Left behind, its failure must not count as unhandled.
  work.catch(() => {});
  signal.throwIfAborted();
  let leave = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    leave = () => reject(signal.reason as Error);
    signal.addEventListener('abort', leave, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
