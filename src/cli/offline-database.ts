import type { BackupService } from '../backup/backup.service.js';
import { closeDatabase } from '../backup/close-database.js';
import type { DatabaseService } from '../database/database.service.js';
import type { Lineage } from '../lineage/lineage.js';
import type { RestoreAtStart } from '../restore/restore-at-start.js';
import type { Core } from './core.js';

/** The database of a service that is stopped, opened for one command. Nothing is restored, migrated or seeded. */
export class OfflineDatabase {
  readonly database: DatabaseService;
  readonly lineage: Lineage;
  readonly backups: BackupService;
  readonly #start: RestoreAtStart;

  constructor({ database, lineage, backups, start }: Core) {
    this.database = database;
    this.lineage = lineage;
    this.backups = backups;
    this.#start = start;
  }

  /**
   * Runs work on the open database and closes it.
   *
   * @throws EiderError DATABASE_LOCKED while another process has it open; RESTORE_CONFLICT where a start would restore or
   *   refuse: then the repository holds something newer, and nothing may be shipped beside it
   */
  async use<T>(work: () => Promise<T>): Promise<T> {
    await this.#start.keepLocal();
    await this.database.open();
    let saved = false;
    try {
      await this.lineage.begin({ path: this.database.path, identifier: this.database.files.header().identifier });
      const result = await work();
      saved = true;
      return result;
    } finally {
      await closeDatabase(this, saved);
    }
  }
}
