import { Inject, Injectable, Logger } from '@nestjs/common';
import { BlockPool } from '../block-pool/block-pool.js';
import { backupConfig, type BackupConfig } from '../config/backup.config.js';
import { DatabaseService } from '../database/database.service.js';
import { EiderError, isEiderError, messageOf } from '../errors/eider-error.js';
import { isOwnBackup, knowsNewest } from '../lineage/known-history.js';
import { Lineage } from '../lineage/lineage.js';
import { NO_PROGRESS, type Progress } from '../operations/operation.js';
import type { Listing } from '../repository/listing.js';
import type { Manifest } from '../repository/manifest.js';
import { comparePositions, type FilePosition } from '../duckdb-format/file-position.js';
import { Repository } from '../repository/repository.js';
import { abortable } from '../runtime/abortable.js';
import { Clock } from '../runtime/clock.js';
import { BackupPreparation, type ReservedBackup } from './backup-preparation.js';
import type { BackupOutcome, BackupRequest, BackupStatus, CreatedBackup } from './backup-request.js';
import type { BaseBackup } from './base-backup.js';
import { type CapturedImage, ImageCapture } from './image-capture.js';
import { describeBackup } from './manifest-builder.js';

/** How long a backup tries to fold the log before it takes the log along, ms. */
const CHECKPOINT_TIMEOUT_MS = 2_000;

/** Takes backups of the open database, one at a time. */
@Injectable()
export class BackupService {
  readonly #logger = new Logger('Backup');
  readonly #capture: ImageCapture;
  readonly #preparation: BackupPreparation;
  #turn: Promise<unknown> = Promise.resolve();
  #running = 0;
  readonly #givenUp = new AbortController();
  #status: Pick<BackupStatus, 'last' | 'failures' | 'lastError' | 'replacedBy'> = {
    last: null,
    failures: 0,
    lastError: null,
    replacedBy: null,
  };
  #distrusted: string | undefined;
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
    this.#capture = new ImageCapture(database, repository, pool);
    this.#preparation = new BackupPreparation(config, repository, clock);
  }

  get status(): BackupStatus {
    return { enabled: this.config.enabled, running: this.#running > 0, ...this.#status };
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

  /** A backup was found that cannot be restored: others may need the same packs, so a full one is due. */
  distrust(name: string): void {
    this.#distrusted = name;
  }

  /** Distrusts a backup that failed its last check, here or on another host. What cannot be read is left for later. */
  async lookAtVerdict(name: string): Promise<void> {
    try {
      if ((await this.repository.notes.of(name))?.verified?.ok === false) this.distrust(name);
    } catch (error) {
      this.#logger.warn(`what the last check of ${name} showed could not be read: ${messageOf(error)}`);
    }
  }

  /** Whether a backup was found that cannot be restored, and no full one was taken since. */
  get mustBeFull(): boolean {
    return this.#distrusted !== undefined;
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
    request: BackupRequest & { readonly onlyIfChanged?: false },
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

  /** The database was replaced by a restore, which took every backup there is into account: no other writer is ahead. */
  restored(): void {
    const { replacedBy } = this.#status;
    if (replacedBy === null) return;
    this.#status = { ...this.#status, replacedBy: null };
    this.database.resumeWrites(reasonOf(replacedBy));
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
    await this.#untilGivenUp(this.#yieldToNewerWriter(listing));
    await this.#untilGivenUp(this.#preparation.refuseLostKey(listing));
    const newest = await this.#untilGivenUp(this.repository.newestName(listing.backups));
    if (newest !== undefined) await this.#untilGivenUp(this.lookAtVerdict(newest));
    const { head } = this.lineage.state;
    const mayStay = request.onlyIfChanged === true && head !== null && !this.mustBeFull;
    if (mayStay && !(await this.hasUnsavedChanges())) {
      if (await this.#untilGivenUp(this.#isWhole(head, listing))) {
        return { created: false, reason: 'unchanged', newest: head };
      }
    }
    await this.database.checkpoint({ timeoutMs: request.checkpointTimeoutMs ?? CHECKPOINT_TIMEOUT_MS });
    const captureStarted = this.clock.monotonicMs();
    // Records from here on may hold commits that the image does not.
    const { log } = this.lineage.state;
    const base = await abortable(this.#preparation.base(request, listing, this.#distrusted), signal);
    const { name, image } = await this.#captureReserved(request, listing, base, progress, signal);
    progress.step('commit');
    const manifest = describeBackup({
      name,
      image,
      request,
      config: this.config,
      encryption: this.#preparation.encryption,
      state: { ...this.lineage.state, log },
      now: this.clock.now(),
      durations: {
        checkpointMs: Math.round(captureStarted - started),
        captureMs: Math.round(this.clock.monotonicMs() - captureStarted),
        totalMs: Math.round(this.clock.monotonicMs() - started),
      },
    });
    if (!(await this.#untilGivenUp(this.repository.reservations.has(name)))) {
      // What arrived after retention had looked would be taken for a file that somebody put there.
      await this.#discard(name);
      throw new EiderError('BACKUP_FAILED', `${name} took more than a day: retention has removed what it had stored.`);
    }
    await this.#requireTurn(name);
    await this.lineage.committing(name);
    await this.#untilGivenUp(this.repository.manifests.commit(manifest));
    await this.#committed(manifest, image.position);
    return { created: true, manifest };
  }

  /** A process that has been replaced meanwhile leaves no backup that would pass for the newest. */
  async #requireTurn(name: string): Promise<void> {
    try {
      await this.#untilGivenUp(this.#beforeCommit());
    } catch (error) {
      await this.#discard(name);
      throw error;
    }
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
      const { packs, wal } = await this.repository.manifests.of(name);
      const expected = [...packs, ...(wal === null ? [] : [{ key: wal.key, length: wal.stored }])];
      return expected.every(({ key, length }) => objects.get(key)?.size === length);
    } catch (error) {
      if (isEiderError(error, 'MANIFEST_CORRUPT')) return false;
      throw error;
    }
  }

  async #committed(manifest: Manifest, position: FilePosition): Promise<void> {
    await this.lineage.saved(manifest.name, position);
    if (manifest.kind === 'full') this.#distrusted = undefined;
    await this.repository.extents.cacheOnly(manifest);
    this.#status = { ...this.#status, last: summaryOf(manifest) };
    this.#logger.log(
      `${manifest.trigger} backup ${manifest.name}: ${manifest.database.size} bytes read, ${manifest.bytes.added} added, in ${manifest.durations.totalMs} ms`,
    );
    await this.#untilGivenUp(this.#listener(manifest));
    try {
      await this.#untilGivenUp(this.repository.reservations.release(manifest.name));
    } catch (error) {
      this.#logger.warn(`the reservation of ${manifest.name} could not be removed: ${messageOf(error)}`);
    }
  }

  /** Another process that wrote a backup has replaced this one: what this one holds is saved as a fork, once. */
  async #yieldToNewerWriter(listing: Listing): Promise<void> {
    const newest = await this.#unknownNewest(listing);
    if (newest === undefined) return;
    if (this.#status.replacedBy === null) {
      this.#logger.error(
        `${newest.name} was written by another process (host ${newest.host}): this one refuses writes from now on and saves what it holds as a fork`,
      );
    }
    const before = this.#status.replacedBy;
    this.#status = { ...this.#status, replacedBy: newest.name };
    await this.database.writeGate.close(reasonOf(newest.name));
    if (before !== null && before !== newest.name) this.database.resumeWrites(reasonOf(before));
    await this.lineage.fork();
  }

  /** The newest backup of the main history, where this history does not know it. */
  async #unknownNewest({ backups }: Listing): Promise<Manifest | undefined> {
    const { state } = this.lineage;
    for (const { name } of backups) {
      // Its manifest need not be read: a damaged one must not keep the next backup from being taken.
      if (isOwnBackup(state, name)) return undefined;
      const manifest = await this.repository.manifests.of(name);
      if (manifest.fork) continue;
      const names = backups.map((backup) => backup.name);
      return knowsNewest(state, manifest, names) ? undefined : manifest;
    }
    return undefined;
  }

  async #captureReserved(
    request: BackupRequest,
    listing: Listing,
    base: BaseBackup | undefined,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<{ name: string; image: CapturedImage }> {
    const release = await this.database.holdCheckpoints();
    try {
      const first = await this.#untilGivenUp(this.#preparation.reserve(request, listing, base));
      try {
        return { name: first.name, image: await this.#captureInto(first, progress, signal) };
      } catch (error) {
        if (!isEiderError(error, 'BACKUP_IMAGE_CHANGED')) throw error;
        this.#logger.warn(`${error.message} It is copied again, with checkpoints held off.`);
      }
      const second = await this.#preparation.reserve(request, await this.repository.list(), base);
      const image = await this.database.guardCheckpoint(() => this.#captureInto(second, progress, signal));
      return { name: second.name, image };
    } finally {
      release();
    }
  }

  async #captureInto(
    { name, base, hurried }: ReservedBackup,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<CapturedImage> {
    progress.step('copy');
    try {
      const { compression, encryption } = this.#preparation;
      return await this.#capture.capture(
        { name, compression, encryption, base, hashesTables: !hurried, signal },
        progress,
      );
    } catch (error) {
      await this.#discard(name);
      throw error;
    }
  }

  async #discard(name: string): Promise<void> {
    try {
      await this.#untilGivenUp(this.#preparation.discard(name));
    } catch (error) {
      this.#logger.warn(`remains of ${name} are left for retention to remove: ${messageOf(error)}`);
    }
  }
}

function anySignal(first: AbortSignal, second: AbortSignal | undefined): AbortSignal {
  return second === undefined ? first : AbortSignal.any([first, second]);
}

/** Why writes are refused once another process was seen. */
function reasonOf(newest: string): string {
  return `another process wrote the newer backup ${newest}`;
}

function summaryOf(manifest: Manifest): NonNullable<BackupStatus['last']> {
  const { name, createdAt, trigger, bytes } = manifest;
  return { name, createdAt, trigger, stored: bytes.stored };
}
