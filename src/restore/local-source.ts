import { open, stat } from 'node:fs/promises';
import type { DatabaseService } from '../database/database.service.js';
import { isOpenHere } from '../database/open-files.js';

/** A file of this machine that may hold blocks of a backup. */
export interface LocalSource {
  readonly path: string;
  /** For reading at positions only. */
  readonly descriptor: number;
  /** This process has it open as a database: nobody may open and close it here. */
  readonly inUse: boolean;
  close(): Promise<void>;
}

/**
 * The database file as it is: in use, closed, older, newer or damaged. Undefined where there is none that can be read.
 *
 * While this process has the database open, that is the descriptor that is kept: opening and closing another one would drop
 * DuckDB's lock. For the same reason the file is not opened in a process that had it open before and may open it again at
 * any moment, as a restore does after its exchange.
 */
export async function openLocalSource(database: DatabaseService): Promise<LocalSource | undefined> {
  const { path } = database;
  if (database.isOpen) {
    return { path, descriptor: database.files.mainDescriptor(), inUse: true, close: () => Promise.resolve() };
  }
  return database.wasOpened ? undefined : openForReading(path);
}

/** Opens a file that this process does not use as a database; undefined where that cannot be. */
export async function openForReading(path: string): Promise<LocalSource | undefined> {
  try {
    const status = await stat(path, { bigint: true });
    // Opening a pipe would wait for its other end.
    if (!status.isFile() || isOpenHere(status)) return undefined;
    const file = await open(path, 'r');
    return { path, descriptor: file.fd, inUse: false, close: () => file.close() };
  } catch {
    // It is not there or cannot be read: the store has every block.
    return undefined;
  }
}
