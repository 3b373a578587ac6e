import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/**
 * Tells of writes to the write-ahead log, where the system does. It watches the folder: a checkpoint puts another file in
 * the place of the log. No file of the database is opened for it, and none closed.
 */
export class LogWatch {
  #watcher: FSWatcher | undefined;
  #act: () => void = () => {};
  #hasAnnounced = false;

  /** @param path - of the database file */
  constructor(private readonly path: string) {}

  get isOpen(): boolean {
    return this.#watcher !== undefined;
  }

  /** Whether it has told of a write since it was opened; false while it is closed. */
  get hasAnnounced(): boolean {
    return this.#hasAnnounced;
  }

  /** Begins to watch; false where the system cannot. Idempotent. */
  open(): boolean {
    if (this.#watcher !== undefined) return true;
    const logs = `${basename(this.path)}.wal`;
    try {
      this.#watcher = watch(dirname(this.path), { persistent: false }, (_event, name) => {
        if (name?.startsWith(logs) !== false) this.#announce();
      });
    } catch {
      return false;
    }
    // Whoever waits looks by himself, and finds out that nothing is announced.
    this.#watcher.on('error', () => this.close());
    return true;
  }

  /** Called at each write that it tells of. */
  onAnnounced(act: () => void): void {
    this.#act = act;
  }

  /** Idempotent. */
  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#hasAnnounced = false;
  }

  #announce(): void {
    this.#hasAnnounced = true;
    this.#act();
  }
}
