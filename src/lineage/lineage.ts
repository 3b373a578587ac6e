import { Injectable } from '../runtime/injection.js';
import { randomUUID } from 'node:crypto';
import type { FilePosition } from '../duckdb-format/file-position.js';
import type { Position } from '../repository/position.js';
import { type LineageState, readState, writeState } from './state-file.js';

/** What is needed of the database: its path, and the identity in its header. */
export interface IdentifiedFile {
  readonly path: string;
  readonly identifier: string;
}

/** The history of the open database, kept in the state file beside it. */
@Injectable()
export class Lineage {
  #path = '';
  #state: LineageState | undefined;

  /** The state in force. Throws before `begin`. */
  get state(): LineageState {
    if (this.#state === undefined) throw new Error('the lineage is not known before the database is open');
    return this.#state;
  }

  get isKnown(): boolean {
    return this.#state !== undefined;
  }

  /** Takes a turn at the history of a database that was just opened; a file without one begins a lineage. */
  async begin({ path, identifier }: IdentifiedFile): Promise<void> {
    this.#path = path;
    const found = await readState(path);
    const state = found?.identifier === identifier ? found : newLineage(identifier);
    await this.#save({ ...state, epoch: state.epoch + 1, writer: randomUUID() });
  }

  /** Records the name of a backup before its manifest is written. */
  async committing(backup: string): Promise<void> {
    await this.#save({ ...this.state, committing: backup });
  }

  /** Records an own backup: the newest that this history knows, and the local position that holds its content. */
  async saved(backup: string, position: FilePosition): Promise<void> {
    const { committing: _, ...state } = this.state;
    await this.#save({ ...state, head: backup, saved: this.at(position) });
  }

  /** Records that the content at `saved` is now found at another position: a checkpoint folded the log and nothing else. */
  async moved(position: FilePosition): Promise<void> {
    await this.#save({ ...this.state, saved: this.at(position) });
  }

  /** Goes on as a fork: another writer's backups are the main history from here on. */
  async fork(): Promise<void> {
    if (this.state.fork) return;
    const { lineage, saved } = this.state;
    const parent = saved ?? { lineage, iteration: 0, offset: 0 };
    await this.#save({ ...this.state, lineage: randomUUID(), lineageParent: parent, fork: true, saved: null });
  }

  /** Begins a lineage of its own: what is in the store is not the history of this file any more. */
  async renew(): Promise<void> {
    await this.#save({ ...this.state, lineage: randomUUID(), lineageParent: this.state.saved, saved: null });
  }

  /** Records the log record with which this turn began: what was written before it is of a turn before. */
  async took(turn: number): Promise<void> {
    await this.#save({ ...this.state, turn, log: turn });
  }

  /** Notes the last record of the log. It is saved with the next backup; until then it is found again. */
  noteLog(log: number): void {
    this.#state = { ...this.state, log };
  }

  /** Closes the history of this database; `begin` opens one again. */
  end(): void {
    this.#state = undefined;
  }

  /** A position of the file, in this lineage. */
  at({ iteration, offset }: FilePosition): Position {
    return { lineage: this.state.lineage, iteration, offset };
  }

  async #save(state: LineageState): Promise<void> {
    await writeState(this.#path, state);
    this.#state = state;
  }
}

/** State of a database that has no history yet. */
export function newLineage(identifier: string): LineageState {
  return {
    format: 1,
    identifier,
    lineage: randomUUID(),
    lineageParent: null,
    epoch: 0,
    writer: randomUUID(),
    log: 0,
    head: null,
    saved: null,
    fork: false,
  };
}
