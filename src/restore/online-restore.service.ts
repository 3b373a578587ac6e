import { Injectable, Logger } from '../runtime/injection.js';
import { BackupService } from '../backup/backup.service.js';
import { DatabaseService } from '../database/database.service.js';
import { Migrator } from '../database/migrator.js';
import { EiderError, messageOf } from '../errors/eider-error.js';
import { Lineage } from '../lineage/lineage.js';
import { NO_PROGRESS, type Progress } from '../operations/operation.js';
import type { FoundBackup } from '../repository/repository.js';
import { abortable } from '../runtime/abortable.js';
import { Clock } from '../runtime/clock.js';
import { nameOf, type RestoreReport } from './restore-report.js';
import { RestoreService } from './restore.service.js';
import type { WorkingCopy } from './working-copies.js';
import { type DatabaseSwap, recoverSwap } from '../database/swap.js';

const REASON = 'a restore is in progress';

export interface OnlineOptions {
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
  /** Leaves out the backup of what is replaced. */
  readonly force?: boolean;
}

/** Replaces the database while the service runs. */
@Injectable()
export class OnlineRestore {
  readonly #logger = new Logger('Restore');

  constructor(
    private readonly restores: RestoreService,
    private readonly database: DatabaseService,
    private readonly backups: BackupService,
    private readonly lineage: Lineage,
    private readonly migrator: Migrator,
    private readonly clock: Clock,
  ) {}

  /**
   * Fetches and checks a backup while the service goes on, then, with writes held off, saves the present state, swaps the
   * files and opens the new one. On any failure the database in use before is in use again.
   *
   * @throws EiderError RESTORE_IN_PROGRESS, those of `RestoreService.prepare`, RESTORE_FAILED, RESTORE_ROLLBACK_FAILED
   */
  async restore(found: FoundBackup, options: OnlineOptions = {}): Promise<RestoreReport> {
    return this.restores.exclusively(async () => {
      const started = this.clock.monotonicMs();
      const { progress = NO_PROGRESS, signal } = options;
      const copy = await this.restores.prepare(found, { progress, signal });
      try {
        await this.database.pauseWrites(REASON);
        if (options.force !== true) {
          progress.step('pre-restore backup');
          await this.backups.create({ trigger: 'pre-restore', onlyIfChanged: true }, NO_PROGRESS, signal);
        }
        const aside = await this.backups.whilePaused(async () => {
          // Only now no backup is under way: one that ended later would not be known to the restored database, which would
          // then take it for the work of another process.
          await abortable(this.restores.recordHistory(copy), signal);
          signal?.throwIfAborted();
          progress.step('swap');
          return this.#replace(copy);
        });
        this.backups.restored();
        await this.restores.prune();
        return await this.restores.report(copy, started, aside);
      } catch (error) {
        await this.restores.abandon(copy, error);
        throw error;
      } finally {
        this.database.resumeWrites(REASON);
      }
    });
  }

  async #replace(copy: WorkingCopy): Promise<string | null> {
    let swap: DatabaseSwap | undefined;
    try {
      await this.database.close();
      const swapped = await this.restores.swapIn(copy, 'restore-point');
      swap = swapped.swap;
      await this.#open();
      await this.migrator.migrate();
      await this.#healthCheck();
      await swap.commit();
      return swapped.aside;
    } catch (error) {
      await this.#rollBack(swap, error);
      throw new EiderError('RESTORE_FAILED', `Restoring ${nameOf(copy.found)} failed: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  async #rollBack(swap: DatabaseSwap | undefined, reason: unknown): Promise<void> {
    this.#logger.error(`the restore failed and is taken back: ${messageOf(reason)}`);
    // It could not be closed: nothing was touched, and it is in use as before.
    if (swap === undefined && this.database.isOpen) return;
    try {
      await this.database.close();
      // A swap that failed has taken itself back, unless that failed, too: opening would then create an empty database.
      if (swap === undefined) await recoverSwap(this.database.path);
      else await swap.undo();
      await this.#open();
    } catch (error) {
      throw new EiderError(
        'RESTORE_ROLLBACK_FAILED',
        `The restore failed (${messageOf(reason)}) and the old database could not be put back: ${messageOf(error)}. Look for ${this.database.path} and ${this.database.path}.restore-point-*.`,
        { cause: error },
      );
    }
  }

  async #open(): Promise<void> {
    this.lineage.end();
    await this.database.open();
    await this.lineage.begin({ path: this.database.path, identifier: this.database.files.header().identifier });
  }

  /** Reads from the catalogue and counts every table. */
  async #healthCheck(): Promise<void> {
    await this.database.tableCounts();
  }
}
