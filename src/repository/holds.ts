import { Logger } from '../runtime/injection.js';
import { randomUUID } from 'node:crypto';
import { EiderError, isEiderError, messageOf } from '../errors/eider-error.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Clock } from '../runtime/clock.js';
import { encodeHold, newHold, type HoldPurpose } from './hold.js';
import { holdKey, manifestKey } from './keys.js';

/** How often a hold is written again, ms. */
const RENEW_MS = 3_600_000;
/** A store that takes no writes must not keep a restore waiting, nor a stop of the service, ms. */
const PATIENCE_MS = 20_000;
const PATIENCE_AT_A_STOP_MS = 1_000;

/** Lets retention know, in any process, which backups are being read. */
export class Holds {
  readonly #logger = new Logger('Hold');

  constructor(
    private readonly store: ObjectStore,
    private readonly clock: Pick<Clock, 'now' | 'every'>,
  ) {}

  /**
   * Does work that reads a backup, and holds the backup meanwhile.
   *
   * Where the hold cannot be written (credentials that only read, a store that takes no writes) the work is done all the
   * same: what a backup needs stays for a day after it was removed.
   *
   * @throws EiderError BACKUP_NOT_FOUND where the backup was removed before it was held, and whatever the work throws
   */
  async during<T>(name: string, purpose: HoldPurpose, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const key = holdKey(randomUUID());
    const body = encodeHold(newHold(name, purpose, this.clock.now()));
    // Whether a hold may be there; the writes of it follow one another.
    let written = this.#write(key, body, signal);
    try {
      await written;
      signal?.throwIfAborted();
      await this.#requireListed(name, signal);
      const renew = async (before: boolean): Promise<boolean> => (await this.#write(key, body, signal)) || before;
      const stop = this.clock.every(RENEW_MS, () => (written = written.then(renew)));
      try {
        return await work();
      } finally {
        stop();
      }
    } finally {
      // One that is being written would come back after it was removed.
      if (await written) await this.#end(key, signal?.aborted === true ? PATIENCE_AT_A_STOP_MS : PATIENCE_MS);
    }
  }

  /** Looked at once the hold is there: whoever removes a backup looks the other way round. */
  async #requireListed(name: string, signal: AbortSignal | undefined): Promise<void> {
    const found = await this.store.head(manifestKey(name), signal === undefined ? {} : { signal });
    if (found === undefined) throw new EiderError('BACKUP_NOT_FOUND', `${name} has been removed.`);
  }

  async #write(key: string, body: Buffer, signal?: AbortSignal): Promise<boolean> {
    const patience = AbortSignal.timeout(PATIENCE_MS);
    try {
      await this.store.put(key, body, {
        signal: signal === undefined ? patience : AbortSignal.any([patience, signal]),
      });
      return true;
    } catch (error) {
      if (signal?.aborted !== true) this.#logger.warn(`a backup is read without a hold: ${messageOf(error)}`);
      // Whatever else went wrong, it may have been written.
      return !isEiderError(error, 'STORE_DENIED');
    }
  }

  async #end(key: string, patienceMs: number): Promise<void> {
    try {
      await this.store.delete(key, { signal: AbortSignal.timeout(patienceMs) });
    } catch (error) {
      this.#logger.warn(`${key} could not be removed, and counts for another day: ${messageOf(error)}`);
    }
  }
}
