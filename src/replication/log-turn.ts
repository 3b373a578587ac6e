import { hostname } from 'node:os';
import type { DatabaseDescriptors } from '../database/database-descriptors.js';
import { type EiderError, isEiderError } from '../errors/eider-error.js';
import type { Lineage } from '../lineage/lineage.js';
import type { LogHead } from '../repository/log-record.js';
import type { Repository } from '../repository/repository.js';
import { abortable } from '../runtime/abortable.js';
import { type LogEntry, LogWriter } from './log-writer.js';
import { findResumePoint, type ResumePoint } from './resume-point.js';

/** What taking a turn needs. */
export interface TurnParts {
  readonly repository: Repository;
  readonly lineage: Lineage;
  readonly files: DatabaseDescriptors;
  readonly now: () => Date;
  /** Called for each record that is in the store. */
  readonly noted: (head: LogHead) => void;
  /** Called when another writer was found: nothing is to be written any more. */
  readonly fenced: (error: EiderError) => Promise<void>;
}

/** This process's turn at the log: it lasts until another one takes its own. */
export class LogTurn {
  private constructor(
    private readonly parts: TurnParts,
    private readonly writer: LogWriter,
  ) {}

  /**
   * Takes the turn for the database that is open, with an `open` record, and finds where its history goes on: under another
   * lineage where the local log is not the one that was shipped.
   *
   * @throws EiderError REPLICATION_FENCED, STORE_*, LOG_RECORD_CORRUPT
   */
  static async take(
    parts: TurnParts,
    signal: AbortSignal,
  ): Promise<{ readonly turn: LogTurn; readonly resume: ResumePoint }> {
    const { repository, lineage, files, now } = parts;
    const listing = await abortable(repository.list(), signal);
    const newest = await abortable(repository.newest(listing.backups), signal);
    const last = await repository.log.last(Math.max(lineage.state.log, newest?.log ?? 0), { signal });
    const resume = await abortable(findResumePoint(files, lineage.state, repository, last), signal);
    if (resume.kind === 'diverged') await lineage.renew();
    const writer = new LogWriter(repository.log, () => lineage.state, now, last);
    const turn = new LogTurn(parts, writer);
    const position = lineage.at(files.position());
    await turn.append({ kind: 'open', parent: lineage.state.lineageParent, position, host: hostname() }, signal);
    await lineage.took(writer.last);
    return { turn, resume };
  }

  /** Whether the answer to a record was lost: it is settled before the next one. */
  get isInDoubt(): boolean {
    return this.writer.isInDoubt;
  }

  /** Appends a record that is no commit. Throws as `write`. */
  async append(entry: LogEntry, signal: AbortSignal): Promise<void> {
    await this.write(async (writer) => writer.append(writer.slot(), entry, undefined, { signal }), signal);
  }

  /**
   * Has a record written, once the one before is settled.
   *
   * @returns its head, where `work` has written one
   * @throws EiderError REPLICATION_FENCED, STORE_*
   */
  async write(
    work: (writer: LogWriter) => Promise<LogHead | undefined>,
    signal: AbortSignal,
  ): Promise<LogHead | undefined> {
    return this.#guarded(async () => {
      const settled = this.writer.isInDoubt ? await this.writer.settle({ signal }) : undefined;
      if (settled !== undefined) this.parts.noted(settled);
      const head = await work(this.writer);
      if (head !== undefined) this.parts.noted(head);
      return head;
    });
  }

  /** Looks whether another process has taken its turn: its records come behind the last one of this. Throws as `write`. */
  async require(): Promise<void> {
    await this.#guarded(() => this.writer.requireTurn());
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isEiderError(error, 'REPLICATION_FENCED')) await this.parts.fenced(error);
      throw error;
    }
  }
}
