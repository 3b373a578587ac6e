import { inOrder } from '../block-pool/in-order.js';
import { EiderError, isEiderError } from '../errors/eider-error.js';
import type { ObjectStore, RequestOptions } from '../object-store/object-store.js';
import { LOG_PREFIX, logKey, logNumber } from './keys.js';
import { ReadAhead } from './read-ahead.js';
import { decodeLogRecord, encodeLogRecord, type LogHead, type LogRecord } from './log-record.js';

/** Keys of the log that are listed before it is gone through by HEAD requests again: ten listings, where 200,000 take 200. */
const MOST_LISTED = 10_000;

/**
 * The numbered records of a repository. Each number is written once, by whoever comes first: that makes the log the lock
 * between writers.
 */
export class Log {
  constructor(private readonly store: ObjectStore) {}

  /**
   * Appends a record under its number. An answer that is lost is settled by the adapter, which reads the key back.
   *
   * @throws EiderError STORE_EXISTS when another writer was first
   */
  async append(head: LogHead, payload?: Buffer, options: RequestOptions = {}): Promise<void> {
    await this.store.put(logKey(head.number), encodeLogRecord(head, payload), { ...options, ifAbsent: true });
  }

  /** Undefined where there is no such record. Throws LOG_RECORD_CORRUPT. */
  async read(number: number, options: RequestOptions = {}): Promise<LogRecord | undefined> {
    let bytes: Buffer;
    try {
      bytes = await this.store.read(logKey(number), options);
    } catch (error) {
      if (isEiderError(error, 'STORE_NOT_FOUND')) return undefined;
      throw error;
    }
    return decodeLogRecord(number, bytes);
  }

  /**
   * The number of the last record, found by HEAD requests: doubling steps, then bisection. A record that is missing can
   * end that too early, so what comes after is listed, and looked for by HEAD requests again where that is much.
   *
   * @param known - a record that is or was there; 0 where none is known
   */
  async last(known: number, options: RequestOptions = {}): Promise<number> {
    let there = known;
    for (;;) {
      const reached = await this.#ascend(there, options);
      const listed = await this.#listBehind(reached, options);
      if (listed.isLast) return listed.number;
      there = listed.number;
    }
  }

  /** The number of the oldest record that is kept; undefined where there is none. */
  async first(options: RequestOptions = {}): Promise<number | undefined> {
    for await (const { key } of this.store.list(LOG_PREFIX, options)) {
      const number = logNumber(key);
      if (number !== undefined) return number;
    }
    return undefined;
  }

  /**
   * Records in order, read ahead.
   *
   * @param last - ends after this one; all of them must be there
   * @throws EiderError LOG_RECORD_MISSING, LOG_RECORD_CORRUPT
   */
  async *records(first: number, last: number, options: RequestOptions = {}): AsyncGenerator<LogRecord, void, void> {
    const numbers = (function* () {
      for (let number = first; number <= last; number++) yield number;
    })();
    const ahead = new ReadAhead();
    yield* inOrder(numbers, ahead.width, async (number) => {
      const record = await this.read(number, options);
      ahead.saw(record?.payload.length ?? 0);
      if (record !== undefined) return record;
      throw new EiderError('LOG_RECORD_MISSING', `Record ${number} of the log is missing, and ${last} is there.`, {
        details: { record: number },
      });
    });
  }

  /** A record behind which none is, or one is missing. */
  async #ascend(from: number, options: RequestOptions): Promise<number> {
    let there = from;
    let step = 1;
    while (await this.#has(there + step, options)) {
      there += step;
      step *= 2;
    }
    let missing = there + step;
    while (missing - there > 1) {
      const middle = there + Math.floor((missing - there) / 2);
      if (await this.#has(middle, options)) there = middle;
      else missing = middle;
    }
    return there;
  }

  /** The last record behind one, as far as the listing goes; that one where there is none. */
  async #listBehind(
    from: number,
    options: RequestOptions,
  ): Promise<{ readonly number: number; readonly isLast: boolean }> {
    let number = from;
    let listed = 0;
    for await (const { key } of this.store.list(LOG_PREFIX, { ...options, after: logKey(from) })) {
      number = logNumber(key) ?? number;
      if (++listed >= MOST_LISTED && number > from) return { number, isLast: false };
    }
    return { number, isLast: true };
  }

  async #has(number: number, options: RequestOptions): Promise<boolean> {
    return (await this.store.head(logKey(number), options)) !== undefined;
  }
}
