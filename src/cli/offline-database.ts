import type { INestApplicationContext } from '@nestjs/common';
import { BackupService } from '../backup/backup.service.js';
import { closeDatabase } from '../backup/close-database.js';
import { DatabaseService } from '../database/database.service.js';
import { Lineage } from '../lineage/lineage.js';
import { RestoreAtStart } from '../restore/restore-at-start.js';

/** The database of a service that is stopped, opened for one command. Nothing is restored, migrated or seeded. */
export class OfflineDatabase {
  readonly database: DatabaseService;
  readonly lineage: Lineage;
  readonly backups: BackupService;
  readonly #start: RestoreAtStart;

  constructor(context: INestApplicationContext) {
    this.database = context.get(DatabaseService);
    this.lineage = context.get(Lineage);
    this.backups = context.get(BackupService);
    this.#start = context.get(RestoreAtStart);
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
