import { Inject, Injectable, Logger } from '../runtime/injection.js';
import { BlockPool } from '../block-pool/block-pool.js';
import { backupConfig, type BackupConfig } from '../config/backup.config.js';
import { DatabaseService } from '../database/database.service.js';
import { EiderError, isEiderError, messageOf } from '../errors/eider-error.js';
import { Lineage } from '../lineage/lineage.js';
import { NO_PROGRESS, type Progress } from '../operations/operation.js';
import type { Listing } from '../repository/listing.js';
import type { Manifest } from '../repository/manifest.js';
import { comparePositions } from '../duckdb-format/file-position.js';
import { Repository } from '../repository/repository.js';
import { abortable } from '../runtime/abortable.js';
import { Clock } from '../runtime/clock.js';
import type { BackupOutcome, BackupRequest, BackupStatus, CreatedBackup } from './backup-request.js';
import { BackupWriter } from './backup-writer.js';
import { Distrust } from './distrust.js';
import { refuseLostKey } from './lost-key.js';
import { Succession } from './succession.js';
import { hasParts } from './whole-backup.js';

/** Takes backups of the open database, one at a time. */
@Injectable()
export class BackupService {
  readonly #logger = new Logger('Backup');
  /** Why the next backup must be a full one. */
  readonly distrust: Distrust;
  readonly #writer: BackupWriter;
  readonly #succession: Succession;
  #turn: Promise<unknown> = Promise.resolve();
  #running = 0;
  readonly #givenUp = new AbortController();
  #status: Pick<BackupStatus, 'last' | 'failures' | 'lastError'> = { last: null, failures: 0, lastError: null };
  #precondition: () => Promise<void> = () => Promise.resolve();
  #beforeCommit: () => Promise<void> = () => Promise.resolve();
  #listener: (manifest: Manifest) => Promise<void> = () => Promise.resolve();

  constructor(
    @Inject(backupConfig.KEY) private readonly config: BackupConfig,
    private readonly database: DatabaseService,
    private readonly repository: Repository,
    private readonly lineage: Lineage,
    private readonly clock: Clock,
    pool: BlockPool,
  ) {
    this.distrust = new Distrust(repository);
    this.#succession = new Succession(database, repository, lineage);
    const { distrust } = this;
    const parts = { config, database, repository, lineage, clock, pool, distrust };
    this.#writer = new BackupWriter({
      ...parts,
      givenUp: this.#givenUp.signal,
      beforeCommit: () => this.#beforeCommit(),
    });
  }

  get status(): BackupStatus {
    const { replacedBy } = this.#succession;
    return { enabled: this.config.enabled, running: this.#running > 0, ...this.#status, replacedBy };
  }

  /**
   * Whether this history has left the newest backup behind, by a restore or by a choice at the start, and no backup holds
   * it yet. Told by the state file, so that a crash does not forget it.
   */
  get leftNewestBehind(): boolean {
    if (!this.lineage.isKnown) return false;
    const { saved, head } = this.lineage.state;
    return saved === null && head !== null;
  }

  /** Whether a backup was found that cannot be restored, and no full one was taken since. */
  get mustBeFull(): boolean {
    return this.distrust.backup !== undefined;
  }

  /** Something that must hold before anything is written to the repository; asked before each backup. */
  requireBeforeShipping(check: () => Promise<void>): void {
    this.#precondition = check;
  }

  /** Throws while nothing may be written to the repository. */
  async mayShip(): Promise<void> {
    await this.#precondition();
  }

  /** Something that must hold right before a manifest is written, after everything else of a backup. */
  requireBeforeCommit(check: () => Promise<void>): void {
    this.#beforeCommit = check;
  }

  /** Called with each backup that was committed, before the next one begins. */
  onCommitted(listener: (manifest: Manifest) => Promise<void>): void {
    this.#listener = listener;
  }

  /** Tells what the repository was found to hold, before the first backup of this process. */
  noteNewest(manifest: Manifest): void {
    this.#status = { ...this.#status, last: summaryOf(manifest) };
  }

  /**
   * Takes a backup, after those that were asked for before it.
   *
   * A failure leaves nothing listed; what was uploaded is removed, or by retention later.
   *
   * @throws EiderError BACKUP_DISABLED, STORE_*, REPOSITORY_*, BACKUP_IMAGE_CHANGED, RESTORE_CONFLICT, ENCRYPTION_KEY_MISSING
   */
  async create(
    request: BackupRequest & { readonly onlyIfChanged?: false | undefined },
    progress?: Progress,
    signal?: AbortSignal,
  ): Promise<CreatedBackup>;
  async create(request: BackupRequest, progress?: Progress, signal?: AbortSignal): Promise<BackupOutcome>;
  async create(request: BackupRequest, progress: Progress = NO_PROGRESS, signal?: AbortSignal): Promise<BackupOutcome> {
    if (!this.config.enabled) throw new EiderError('BACKUP_DISABLED', 'BACKUP_ENABLED is false.');
    this.#running++;
    const result = this.#turn.then(() => this.#attempt(request, progress, anySignal(this.#givenUp.signal, signal)));
    this.#turn = result.catch(() => {});
    try {
      return await result;
    } finally {
      this.#running--;
    }
  }

  /** Lets nothing else happen to the database meanwhile: backups asked for wait until the work is done. */
  async whilePaused<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  /** The database was replaced by a restore, which took every backup there is into account. */
  restored(): void {
    this.#succession.end();
  }

  /** Aborts the backup under way and those that wait: a shutdown has run out of time. */
  giveUp(reason: Error): void {
    this.#givenUp.abort(reason);
  }

  /** Resolves when no backup is under way. */
  async idle(): Promise<void> {
    await this.#turn;
  }

  /** Whether something was committed since the last backup of this history. */
  async hasUnsavedChanges(): Promise<boolean> {
    const { saved } = this.lineage.state;
    return saved === null || comparePositions(await this.database.position(), saved) !== 0;
  }

  async #attempt(request: BackupRequest, progress: Progress, signal: AbortSignal): Promise<BackupOutcome> {
    try {
      signal.throwIfAborted();
      const outcome = await this.#take(request, progress, signal);
      this.#status = { ...this.#status, failures: 0, lastError: null };
      return outcome;
    } catch (error) {
      const failure = isEiderError(error)
        ? error
        : new EiderError('BACKUP_FAILED', `The backup failed: ${messageOf(error)}`, { cause: error });
      this.#status = {
        ...this.#status,
        failures: this.#status.failures + 1,
        lastError: { code: failure.code, message: failure.message, at: this.clock.now().toISOString() },
      };
      this.#logger.error(`${request.trigger} backup failed: ${failure.code}: ${failure.message}`);
      throw failure;
    }
  }

  async #take(request: BackupRequest, progress: Progress, signal: AbortSignal): Promise<BackupOutcome> {
    const started = this.clock.monotonicMs();
    progress.step('prepare');
    await this.#untilGivenUp(this.#precondition());
    await this.#untilGivenUp(this.repository.claim());
    const listing = await this.#untilGivenUp(this.repository.list());
    await this.#untilGivenUp(this.#succession.yieldToNewer(listing));
    await this.#untilGivenUp(refuseLostKey(this.repository, listing));
    const newest = await this.#untilGivenUp(this.repository.newestName(listing.backups));
    if (newest !== undefined) await this.#untilGivenUp(this.distrust.lookAtVerdict(newest));
    const { head } = this.lineage.state;
    const mayStay = request.onlyIfChanged === true && head !== null && !this.mustBeFull;
    if (mayStay && !(await this.hasUnsavedChanges())) {
      if (await this.#untilGivenUp(this.#isWhole(head, listing))) {
        return { created: false, reason: 'unchanged', newest: head };
      }
    }
    const manifest = await this.#writer.write({ request, listing, started, progress, signal });
    await this.#committed(manifest);
    return { created: true, manifest };
  }

  /**
   * Waits for a request to the store, but not beyond the end of a shutdown: a store that does not answer must not keep
   * the database from being closed. A commit that takes effect afterwards is known by its writer at the next start.
   */
  async #untilGivenUp<T>(request: Promise<T>): Promise<T> {
    return abortable(request, this.#givenUp.signal);
  }

  /** Whether a backup is listed, and its packs and log with the length that its manifest says. */
  async #isWhole(name: string, { backups, objects }: Listing): Promise<boolean> {
    if (!backups.some((backup) => backup.name === name)) return false;
    try {
      return hasParts(await this.repository.manifests.of(name), objects);
    } catch (error) {
      if (isEiderError(error, 'MANIFEST_CORRUPT')) return false;
      throw error;
    }
  }

  async #committed(manifest: Manifest): Promise<void> {
    this.distrust.taken(manifest);
    await this.repository.extents.cacheOnly(manifest);
    this.#status = { ...this.#status, last: summaryOf(manifest) };
    this.#logger.log(
      `${manifest.trigger} backup ${manifest.name}: ${manifest.database.size} bytes read, ${manifest.bytes.added} added, in ${manifest.durations.totalMs} ms`,
    );
    await this.#untilGivenUp(this.#listener(manifest));
    await this.#writer.release(manifest);
  }
}

function anySignal(first: AbortSignal, second: AbortSignal | undefined): AbortSignal {
  return second === undefined ? first : AbortSignal.any([first, second]);
}

function summaryOf(manifest: Manifest): NonNullable<BackupStatus['last']> {
  const { name, createdAt, trigger, bytes } = manifest;
  return { name, createdAt, trigger, stored: bytes.stored };
}
