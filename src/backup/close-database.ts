import type { DatabaseService } from '../database/database.service.js';
import { inspectDatabaseFile } from '../database/inspect.js';
import type { Lineage } from '../lineage/lineage.js';
import type { BackupService } from './backup.service.js';

/** The parts of an open database that end together. */
export interface OpenDatabase {
  readonly database: DatabaseService;
  readonly backups: BackupService;
  readonly lineage: Lineage;
}

/**
 * Closes the database and its history.
 *
 * Closing folds the log: the same content is then found at another position, which must not count as a change.
 *
 * @param saved - whether the newest backup holds everything, as far as the caller knows
 */
export async function closeDatabase({ database, backups, lineage }: OpenDatabase, saved: boolean): Promise<void> {
  const unchanged = saved && lineage.isKnown && !(await backups.hasUnsavedChanges());
  await database.close();
  if (unchanged) {
    const file = await inspectDatabaseFile(database.path);
    if (file.kind === 'ok') await lineage.moved(file.position);
  }
  lineage.end();
}
