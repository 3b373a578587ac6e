import { Injectable } from '../runtime/injection.js';
import { resolve } from 'node:path';
import { exists } from '../database/database-files.js';
import { inspectDatabaseFile } from '../database/inspect.js';
import { DatabaseSwap } from '../database/swap.js';
import { EiderError } from '../errors/eider-error.js';
import type { Progress } from '../operations/operation.js';
import type { FoundBackup } from '../repository/repository.js';
import { Clock } from '../runtime/clock.js';
import type { RestoreReport } from './restore-report.js';
import { RestoreService } from './restore.service.js';
import type { WorkingCopy } from './working-copies.js';

export interface OfflineOptions {
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
  /** The file in place cannot be read: it is kept under a name that says so. */
  readonly quarantine?: boolean;
}

/** Restores where no service has the database open: in its place, or into another file. */
@Injectable()
export class OfflineRestore {
  constructor(
    private readonly restores: RestoreService,
    private readonly clock: Clock,
  ) {}

  /** Restores in the place of the database. Throws as `RestoreService.prepare`, and DATABASE_*. */
  async restore(found: FoundBackup, options: OfflineOptions = {}): Promise<RestoreReport> {
    const { progress, signal, quarantine = false } = options;
    const started = this.clock.monotonicMs();
    const copy = await this.restores.prepare(found, { progress, signal });
    const aside = await this.#abandoningOnFailure(copy, async () => {
      await this.restores.recordHistory(copy);
      signal?.throwIfAborted();
      await this.#refuseOpenDatabase();
      const swapped = await this.restores.swapIn(copy, quarantine ? 'unreadable' : 'restore-point');
      await swapped.swap.commit();
      return swapped.aside;
    });
    await this.restores.prune();
    return this.restores.report(copy, started, aside);
  }

  /**
   * Restores into a file that is not the database.
   *
   * @throws EiderError REQUEST_INVALID when the file exists, and as `RestoreService.prepare`
   */
  async toFile(found: FoundBackup, file: string, progress?: Progress, signal?: AbortSignal): Promise<RestoreReport> {
    const started = this.clock.monotonicMs();
    const target = resolve(file);
    if (await exists(target)) {
      throw new EiderError('REQUEST_INVALID', `${target} exists already; nothing is ever overwritten.`);
    }
    const copy = await this.restores.prepare(found, { progress, signal, target });
    await this.#abandoningOnFailure(copy, async () => {
      const placed = await DatabaseSwap.begin(target, copy.path, `${copy.path}.none`);
      await placed.commit();
    });
    await this.restores.removeLeftovers(target);
    return this.restores.report(copy, started, null, target);
  }

  /** The fetch took its time: a service may have been started meanwhile, and renaming its files would harm it. */
  async #refuseOpenDatabase(): Promise<void> {
    const local = await inspectDatabaseFile(this.restores.database);
    if (local.kind === 'refused') throw local.error;
  }

  async #abandoningOnFailure<T>(copy: WorkingCopy, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      await this.restores.abandon(copy, error);
      throw error;
    }
  }
}
