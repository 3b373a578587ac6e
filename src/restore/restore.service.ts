import { Inject, Injectable, Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { stat, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { BlockPool } from '../block-pool/block-pool.js';
import { databaseConfig, type DatabaseConfig } from '../config/database.config.js';
import { restoreConfig, type RestoreConfig } from '../config/restore.config.js';
import { catalogNameOf } from '../database/catalog-name.js';
import { inspectDatabaseFile } from '../database/inspect.js';
import { upgradeStorage } from '../database/storage-upgrade.js';
import { EiderError } from '../errors/eider-error.js';
import { writeState } from '../lineage/state-file.js';
import { NO_PROGRESS, type Progress } from '../operations/operation.js';
import { comparePositions } from '../duckdb-format/file-position.js';
import { PointFinder } from '../repository/point-finder.js';
import type { PointTarget } from '../repository/point-in-time.js';
import { type FoundBackup, Repository } from '../repository/repository.js';
import { Clock } from '../runtime/clock.js';
import { makeFolder } from '../runtime/sync-folder.js';
import { checkDatabase, type ExpectedContents } from '../database/database-check.js';
import {
  exists,
  nearestFolder,
  pruneRestorePoints,
  removeDatabase,
  setAsideName,
  workingCopyOf,
} from '../database/database-files.js';
import { ImageFetch } from './image-fetch.js';
import { planRestore, type RestorePlan } from './restore-plan.js';
import { type RestoredFile, stateAfterRestore } from './restored-state.js';
import { DatabaseSwap } from '../database/swap.js';

/** A restored database that is not in place yet. */
export interface WorkingCopy {
  readonly found: FoundBackup;
  readonly path: string;
}

/** What a restore did. */
export interface RestoreReport {
  readonly backup: string;
  readonly database: string;
  readonly bytes: number;
  readonly durationMs: number;
  /** The database that was replaced; null where there was none. */
  readonly restorePoint: string | null;
}

export interface OfflineOptions {
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
  /** The file in place cannot be read: it is kept under a name that says so. */
  readonly quarantine?: boolean;
}

interface PrepareOptions {
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
  readonly target: string;
  /** Opens the file in a process of its own. Files without a manifest must be: nothing else tells whether they are whole. */
  readonly opens: boolean;
}

/** Brings backups back as files: beside the database, in its place while it is closed, or anywhere else. */
@Injectable()
export class RestoreService {
  readonly #logger = new Logger('Restore');
  readonly #fetch: ImageFetch;
  readonly database: string;
  #bytesPerSecond: number | undefined;
  #busy = false;

  constructor(
    @Inject(databaseConfig.KEY) config: DatabaseConfig,
    @Inject(restoreConfig.KEY) private readonly policy: RestoreConfig,
    private readonly repository: Repository,
    private readonly clock: Clock,
    pool: BlockPool,
  ) {
    this.database = resolve(config.path);
    this.#fetch = new ImageFetch(repository, pool);
  }

  /**
   * What a user means: a backup, or the last commit that is not behind a point.
   *
   * @throws EiderError BACKUP_NOT_FOUND, MANIFEST_CORRUPT, RESTORE_POINT_UNREACHABLE, LOG_RECORD_*
   */
  async find(selection: { readonly backup: string } | PointTarget): Promise<FoundBackup> {
    if ('backup' in selection) return this.repository.find(selection.backup);
    const listing = await this.repository.list();
    if ((await this.repository.newest(listing.backups)) !== undefined) {
      const point = await new PointFinder(this.repository).find(selection);
      return { kind: 'eider', manifest: point.base, point };
    }
    if (!('latest' in selection)) throw new EiderError('BACKUP_NOT_FOUND', 'The repository holds no backup of Eider.');
    const foreign = listing.foreign[0];
    if (foreign !== undefined) return { kind: 'foreign', foreign };
    throw new EiderError('BACKUP_NOT_FOUND', 'The repository holds no backup.');
  }

  /** The newest backup of the main history; undefined where there is none. */
  async newestName(): Promise<string | undefined> {
    return this.repository.newestName((await this.repository.list()).backups);
  }

  /** Throws BACKUP_NOT_FOUND where a backup has been removed. */
  async requireListed(name: string): Promise<void> {
    if (await this.repository.exists(name)) return;
    throw new EiderError('BACKUP_NOT_FOUND', `${name} has been removed.`);
  }

  /** What restoring would do; nothing is fetched. */
  async plan(found: FoundBackup, target: string = this.database): Promise<RestorePlan> {
    const newest = await this.newestName();
    const { bavail, bsize } = await statfs(await nearestFolder(resolve(target)));
    return planRestore(found, {
      newest,
      bytesFree: bavail * bsize,
      bytesPerSecond: this.#bytesPerSecond,
    });
  }

  /** Throws RESTORE_IN_PROGRESS. */
  refuseWhileBusy(): void {
    if (this.#busy) throw new EiderError('RESTORE_IN_PROGRESS', 'A restore is running already.');
  }

  /** One restore at a time. Throws RESTORE_IN_PROGRESS. */
  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    this.refuseWhileBusy();
    this.#busy = true;
    try {
      return await work();
    } finally {
      this.#busy = false;
    }
  }

  /**
   * Fetches a backup beside `target`, checks it, and leaves one file without a log.
   *
   * On failure nothing is left behind.
   *
   * @throws EiderError RESTORE_NO_SPACE, BACKUP_DAMAGED, RESTORE_CHECK_FAILED, STORE_*
   */
  async prepare(
    found: FoundBackup,
    progress: Progress = NO_PROGRESS,
    signal?: AbortSignal,
    target: string = this.database,
  ): Promise<WorkingCopy> {
    return this.#prepare(found, { progress, signal, target, opens: found.kind === 'foreign' || this.policy.validate });
  }

  /**
   * Restores a backup on trial: as `prepare`, with the file always opened, and removed again.
   *
   * @throws EiderError as `prepare`
   */
  async tryOut(found: FoundBackup, progress: Progress = NO_PROGRESS, signal?: AbortSignal): Promise<void> {
    await this.discard(await this.#prepare(found, { progress, signal, target: this.database, opens: true }));
  }

  async #prepare(found: FoundBackup, { progress, signal, target, opens }: PrepareOptions): Promise<WorkingCopy> {
    const plan = await this.plan(found, target);
    if (plan.bytesFree < plan.bytesNeeded) {
      throw new EiderError(
        'RESTORE_NO_SPACE',
        `Restoring ${plan.backup} needs ${plan.bytesNeeded} bytes on the disk of ${dirname(target)}; ${plan.bytesFree} are free.`,
        { details: { needed: plan.bytesNeeded, free: plan.bytesFree } },
      );
    }
    const path = workingCopyOf(target, randomUUID().slice(0, 8));
    const started = this.clock.monotonicMs();
    try {
      await makeFolder(dirname(target));
      progress.step('fetch');
      await this.#fetch.fetch(found, path, progress, signal);
      const seconds = Math.max(0.001, (this.clock.monotonicMs() - started) / 1000);
      this.#bytesPerSecond = (plan.databaseBytes ?? plan.bytesToFetch) / seconds;
      progress.step('check');
      if (opens) await this.#check(found, path, signal);
      return { found, path };
    } catch (error) {
      await removeDatabase(path);
      throw error;
    }
  }

  /** Writes the history of a working copy beside it: the last step that needs the store. */
  async recordHistory(copy: WorkingCopy): Promise<void> {
    const facts = await this.#identify(copy.path);
    await writeState(copy.path, stateAfterRestore(copy.found, facts, await this.newestName()));
  }

  /**
   * Puts a working copy in the place of the database, which must be closed.
   *
   * The swap does not count before its `commit`: a kill until then brings the old database back at the next start.
   */
  async swapIn(
    copy: WorkingCopy,
    reason: 'restore-point' | 'unreadable',
  ): Promise<{ swap: DatabaseSwap; aside: string | null }> {
    const aside = await setAsideName(this.database, this.clock.now(), reason);
    const replaces = await exists(this.database);
    const swap = await DatabaseSwap.begin(this.database, copy.path, aside);
    return { swap, aside: replaces ? aside : null };
  }

  /**
   * Restores into a file that is not the database.
   *
   * @throws EiderError REQUEST_INVALID when the file exists
   */
  async toFile(found: FoundBackup, file: string, progress?: Progress, signal?: AbortSignal): Promise<RestoreReport> {
    const started = this.clock.monotonicMs();
    const target = resolve(file);
    if (await exists(target)) {
      throw new EiderError('REQUEST_INVALID', `${target} exists already; nothing is ever overwritten.`);
    }
    const copy = await this.prepare(found, progress, signal, target);
    await this.#discardingOnFailure(copy, async () => {
      const placed = await DatabaseSwap.begin(target, copy.path, `${copy.path}.none`);
      await placed.commit();
    });
    return this.report(copy, started, null, target);
  }

  /** Restores in the place of a database that nobody has open. */
  async offline(found: FoundBackup, options: OfflineOptions = {}): Promise<RestoreReport> {
    const started = this.clock.monotonicMs();
    const copy = await this.prepare(found, options.progress, options.signal);
    const aside = await this.#discardingOnFailure(copy, async () => {
      await this.recordHistory(copy);
      options.signal?.throwIfAborted();
      await this.#refuseOpenDatabase();
      const swapped = await this.swapIn(copy, options.quarantine === true ? 'unreadable' : 'restore-point');
      await swapped.swap.commit();
      return swapped.aside;
    });
    await this.prune();
    return this.report(copy, started, aside);
  }

  async report(
    copy: WorkingCopy,
    started: number,
    aside: string | null,
    database = this.database,
  ): Promise<RestoreReport> {
    const { size } = await stat(database);
    const report: RestoreReport = {
      backup: nameOf(copy.found),
      database,
      bytes: size,
      durationMs: Math.round(this.clock.monotonicMs() - started),
      restorePoint: aside,
    };
    this.#logger.log(`restored ${report.backup} to ${database}: ${size} bytes in ${report.durationMs} ms`);
    return report;
  }

  /** Removes a working copy that was not, or not finally, put in place. */
  async discard(copy: WorkingCopy): Promise<void> {
    await removeDatabase(copy.path);
  }

  /** Removes surplus restore points; a failure is only logged, since the restore itself is done. */
  async prune(): Promise<void> {
    try {
      const removed = await pruneRestorePoints(this.database, this.policy.restorePointsKeep);
      if (removed.length > 0) this.#logger.log(`removed ${removed.length} old restore points`);
    } catch (error) {
      this.#logger.warn(`old restore points could not be removed: ${String(error)}`);
    }
  }

  /** The fetch took its time: a service may have been started meanwhile, and renaming its files would harm it. */
  async #refuseOpenDatabase(): Promise<void> {
    const local = await inspectDatabaseFile(this.database);
    if (local.kind === 'refused') throw local.error;
  }

  async #discardingOnFailure<T>(copy: WorkingCopy, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      await this.discard(copy);
      throw error;
    }
  }

  async #identify(path: string): Promise<RestoredFile> {
    const facts = await inspectDatabaseFile(path);
    if (facts.kind === 'ok') return { identifier: facts.header.identifier, position: facts.position };
    const why = facts.kind === 'missing' ? 'it is missing' : facts.error.message;
    throw new EiderError('RESTORE_CHECK_FAILED', `The restored file is not a usable database: ${why}`);
  }

  async #check(found: FoundBackup, path: string, signal?: AbortSignal): Promise<void> {
    const task = { path, catalog: catalogNameOf(this.database) };
    await checkDatabase(task, contentsOf(found), signal);
    if (found.kind === 'foreign') await upgradeStorage(path);
  }
}

/** What a backup says that it holds; nothing says so of other points. */
function contentsOf(found: FoundBackup): ExpectedContents | undefined {
  if (found.kind === 'foreign') return undefined;
  const { manifest, point } = found;
  if (point !== undefined && comparePositions(point.position, manifest.position) !== 0) return undefined;
  return { tables: manifest.tables, duckdbVersion: manifest.database.duckdbVersion };
}

/** The name by which the user knows a backup. */
export function nameOf(found: FoundBackup): string {
  return found.kind === 'eider' ? found.manifest.name : found.foreign.name;
}
