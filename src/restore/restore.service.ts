import { Inject, Injectable, Logger } from '../runtime/injection.js';
import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { BlockPool } from '../block-pool/block-pool.js';
import { databaseConfig, type DatabaseConfig } from '../config/database.config.js';
import { restoreConfig, type RestoreConfig } from '../config/restore.config.js';
import { catalogNameOf } from '../database/catalog-name.js';
import { DatabaseCheck } from '../database/database-check.js';
import { exists, pruneRestorePoints, setAsideName } from '../database/database-files.js';
import { DatabaseService } from '../database/database.service.js';
import { DatabaseSwap } from '../database/swap.js';
import { EiderError } from '../errors/eider-error.js';
import { writeState } from '../lineage/state-file.js';
import { NO_PROGRESS, type Progress } from '../operations/operation.js';
import { keyOf } from '../repository/backup-key.js';
import type { Manifest } from '../repository/manifest.js';
import { PointFinder } from '../repository/point-finder.js';
import type { PointTarget } from '../repository/point-in-time.js';
import { type FoundBackup, Repository } from '../repository/repository.js';
import { Clock } from '../runtime/clock.js';
import { checkCopy, identifyCopy } from './copy-check.js';
import type { Fetched } from './image-fetch.js';
import { removeLeftovers, removeWorkingCopy } from './leftovers.js';
import { type PlanFacts, planRestore, type RestorePlan } from './restore-plan.js';
import { reportOf, type RestoreReport } from './restore-report.js';
import { stateAfterRestore } from './restored-state.js';
import { type Purpose, refuseWithoutRoom, WorkingCopies, type WorkingCopy } from './working-copies.js';

export interface PrepareOptions {
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The database beside which the file is made; the one of the service where absent. */
  readonly target?: string;
  /** `restore` where absent. */
  readonly purpose?: Purpose;
}

/** The steps of a restore: what is meant, what it would do, a working copy that is checked, and its way into place. */
@Injectable()
export class RestoreService {
  readonly #logger = new Logger('Restore');
  readonly #copies: WorkingCopies;
  readonly database: string;
  #bytesPerSecond: number | undefined;
  #busy = false;

  constructor(
    @Inject(databaseConfig.KEY) config: DatabaseConfig,
    @Inject(restoreConfig.KEY) private readonly policy: RestoreConfig,
    private readonly repository: Repository,
    private readonly clock: Clock,
    pool: BlockPool,
    database: DatabaseService,
  ) {
    this.database = resolve(config.path);
    this.#copies = new WorkingCopies(repository, pool, database);
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
    if (await this.repository.manifests.exists(name)) return;
    throw new EiderError('BACKUP_NOT_FOUND', `${name} has been removed.`);
  }

  /** Throws ENCRYPTION_KEY_MISSING where a backup cannot be decrypted: asked before anything is fetched or touched. */
  requireKey(found: FoundBackup): void {
    if (found.kind === 'eider') keyOf(found.manifest, this.repository.keyring);
  }

  /**
   * What restoring would do, and how much of it is on the disk already: that is read. Nothing is changed. Throws
   * ENCRYPTION_KEY_MISSING.
   */
  async plan(found: FoundBackup, target = this.database, signal?: AbortSignal): Promise<RestorePlan> {
    this.requireKey(found);
    const facts = await this.#factsFor(resolve(target));
    if (found.kind === 'foreign') return planRestore(found, facts);
    const local = await this.#copies.compare(found.manifest, resolve(target), signal);
    return planRestore(found, { ...facts, local });
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
   * Fetches a backup beside the database, checks it, and leaves one file without a log. Meanwhile retention keeps what it reads.
   *
   * Blocks that are on the disk already are not fetched. On failure nothing is left behind, but where a restore was
   * interrupted: the next one goes on with what that had.
   *
   * @throws EiderError ENCRYPTION_KEY_MISSING, RESTORE_NO_SPACE, BACKUP_NOT_FOUND where it was removed meanwhile, BACKUP_DAMAGED,
   *   RESTORE_CHECK_FAILED, STORE_*
   */
  async prepare(found: FoundBackup, options: PrepareOptions = {}): Promise<WorkingCopy> {
    const { progress = NO_PROGRESS, signal, target = this.database, purpose = 'restore' } = options;
    this.requireKey(found);
    const facts = await this.#factsFor(target);
    // What an interrupted restore takes is of use to a restore alone.
    const { occupied, ...others } = facts;
    refuseWithoutRoom(planRestore(found, purpose === 'restore' ? { occupied, ...others } : others), target);
    // Files without a manifest are opened in any case: nothing else tells whether they are whole.
    const opens = found.kind === 'foreign' || purpose === 'proof' || this.policy.validate;
    const started = this.clock.monotonicMs();
    signal?.throwIfAborted();
    const check = opens ? new DatabaseCheck(signal) : undefined;
    try {
      return await this.#copies.make(found, { target, purpose, progress, signal }, async (path, fetched) => {
        this.#noteSpeed(fetched, await stat(path), started);
        const file = { path, catalog: catalogNameOf(this.database) };
        if (check !== undefined) await checkCopy(check, found, file, this.repository.keyring);
      });
    } finally {
      check?.end();
    }
  }

  /**
   * Restores a backup on trial: as `prepare`, with every byte, the manifest's too, read from the store and the file always opened, and removed again.
   *
   * @throws EiderError as `prepare`, MANIFEST_CORRUPT
   */
  async tryOut({ name }: Manifest, progress: Progress = NO_PROGRESS, signal?: AbortSignal): Promise<void> {
    const manifest = await this.repository.manifests.readAgain(name);
    await this.discard(await this.prepare({ kind: 'eider', manifest }, { progress, signal, purpose: 'proof' }));
  }

  /** Writes the history of a working copy beside it: the last step that needs the store. */
  async recordHistory(copy: WorkingCopy): Promise<void> {
    const facts = await identifyCopy(copy.path);
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

  /** What a restore did, which is also logged. */
  async report(
    copy: WorkingCopy,
    started: number,
    aside: string | null,
    database = this.database,
  ): Promise<RestoreReport> {
    const { size: bytes } = await stat(database);
    const durationMs = Math.round(this.clock.monotonicMs() - started);
    const report = reportOf(copy, { database, bytes, durationMs, restorePoint: aside });
    this.#logger.log(
      `restored ${report.backup} to ${database}: ${bytes} bytes in ${durationMs} ms, ${report.fetchedBytes} bytes fetched, ${report.localBlocks} blocks were here`,
    );
    return report;
  }

  /** Removes a working copy that was not, or not finally, put in place. */
  async discard(copy: WorkingCopy): Promise<void> {
    await removeWorkingCopy(copy.path);
  }

  /** Keeps or removes a working copy after a failure, as `prepare` does. */
  async abandon(copy: WorkingCopy, error: unknown): Promise<void> {
    await this.#copies.abandon(copy, error);
  }

  /** Removes what interrupted restores have left: the database is as it should be. */
  async removeLeftovers(target = this.database): Promise<void> {
    await removeLeftovers(target);
  }

  /** Removes surplus restore points, and what interrupted restores have left; a failure is only logged, since the restore itself is done. */
  async prune(): Promise<void> {
    try {
      await this.removeLeftovers();
      const removed = await pruneRestorePoints(this.database, this.policy.restorePointsKeep);
      if (removed.length > 0) this.#logger.log(`removed ${removed.length} old restore points`);
    } catch (error) {
      this.#logger.warn(`old restore points could not be removed: ${String(error)}`);
    }
  }

  async #factsFor(target: string): Promise<PlanFacts> {
    const newest = await this.newestName();
    return { newest, ...(await this.#copies.room(target)), bytesPerSecond: this.#bytesPerSecond };
  }

  /** A restore that found most of its blocks here tells nothing of the store. */
  #noteSpeed({ localBytes }: Fetched, { size }: Stats, started: number): void {
    if (localBytes > size / 2) return;
    const seconds = Math.max(0.001, (this.clock.monotonicMs() - started) / 1000);
    this.#bytesPerSecond = (size - localBytes) / seconds;
  }
}
