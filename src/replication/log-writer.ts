import { randomUUID } from 'node:crypto';
import { EiderError, isEiderError } from '../errors/eider-error.js';
import type { RequestOptions } from '../object-store/object-store.js';
import type { Log } from '../repository/log.js';
import type { LogHead, LogRecord } from '../repository/log-record.js';

/** Whose records these are. */
export interface LogAuthor {
  readonly writer: string;
  readonly epoch: number;
  readonly lineage: string;
}

/** The part of a head that tells of one kind of record. */
export type LogEntry = {
  [Kind in LogHead['kind']]: Omit<Extract<LogHead, { kind: Kind }>, keyof LogIdentity>;
}[LogHead['kind']];

type LogIdentity = Pick<LogHead, 'format' | 'number' | 'nonce' | 'writer' | 'epoch' | 'lineage' | 'at'>;

/** A record that is to be appended: its number and nonce are settled before its payload is stored. */
export interface LogSlot {
  readonly number: number;
  readonly nonce: string;
}

/** Appends the records of one writer, one after the other. */
export class LogWriter {
  #last: number;
  /** Its answer was lost: it may be in the store, so nothing else can have its number before that is settled. */
  #doubtful: { readonly head: LogHead; readonly payload: Buffer } | undefined;

  /** @param last - the last record that there is */
  constructor(
    private readonly log: Log,
    private readonly author: () => LogAuthor,
    private readonly now: () => Date,
    last: number,
  ) {
    this.#last = last;
  }

  /** The number of the last record. */
  get last(): number {
    return this.#last;
  }

  /** Whether a record waits to be settled: `settle` comes first. */
  get isInDoubt(): boolean {
    return this.#doubtful !== undefined;
  }

  /** The next number, with a nonce of its own. */
  slot(): LogSlot {
    return { number: this.#last + 1, nonce: randomUUID() };
  }

  /**
   * Appends a record.
   *
   * @returns its head
   * @throws EiderError REPLICATION_FENCED when another writer was first; STORE_*: then it is in doubt
   */
  async append(
    slot: LogSlot,
    entry: LogEntry,
    payload: Buffer = Buffer.alloc(0),
    options: RequestOptions = {},
  ): Promise<LogHead> {
    if (this.#doubtful !== undefined) throw new Error('the record before is in doubt');
    const { writer, epoch, lineage } = this.author();
    const identity = { format: 1 as const, ...slot, writer, epoch, lineage, at: this.now().toISOString() };
    const head = { ...identity, ...entry } as LogHead;
    this.#doubtful = { head, payload };
    await this.settle(options);
    return head;
  }

  /** Appends a record in doubt again, byte for byte. Throws as `append`. */
  async settle(options: RequestOptions = {}): Promise<LogHead | undefined> {
    const doubtful = this.#doubtful;
    if (doubtful === undefined) return undefined;
    const { head, payload } = doubtful;
    try {
      await this.log.append(head, payload, options);
    } catch (error) {
      if (!isEiderError(error, 'STORE_EXISTS')) throw error;
      await this.#requireOwn(head, options);
    }
    this.#doubtful = undefined;
    this.#last = head.number;
    return head;
  }

  /**
   * Looks whether another writer has appended a record since the last one of this.
   *
   * @throws EiderError REPLICATION_FENCED, STORE_*
   */
  async requireTurn(): Promise<void> {
    if (this.#doubtful !== undefined) return;
    const next = this.#last + 1;
    const there = await this.log.read(next);
    if (there !== undefined) throw replaced(next, there);
  }

  /** An earlier attempt may have gone through after all. */
  async #requireOwn(head: LogHead, options: RequestOptions): Promise<void> {
    const there = await this.log.read(head.number, options);
    if (there?.head.nonce === head.nonce) return;
    throw replaced(head.number, there);
  }
}

function replaced(number: number, there: LogRecord | undefined): EiderError {
  const who = there?.head.kind === 'open' ? ` (host ${there.head.host})` : '';
  return new EiderError(
    'REPLICATION_FENCED',
    `Record ${number} of the log was written by another process${who}: this one has been replaced.`,
    { details: { record: number, writer: there?.head.writer } },
  );
}
