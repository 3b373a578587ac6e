import { Logger } from '../runtime/injection.js';
import type { BlockPool } from '../block-pool/block-pool.js';
import type { BackupConfig } from '../config/backup.config.js';
import type { DatabaseService } from '../database/database.service.js';
import { EiderError, isEiderError, messageOf } from '../errors/eider-error.js';
import type { Lineage } from '../lineage/lineage.js';
import type { Progress } from '../operations/operation.js';
import type { Listing } from '../repository/listing.js';
import type { Manifest } from '../repository/manifest.js';
import type { Repository } from '../repository/repository.js';
import { abortable } from '../runtime/abortable.js';
import type { Clock } from '../runtime/clock.js';
import { BackupPreparation, type ReservedBackup } from './backup-preparation.js';
import type { BackupRequest } from './backup-request.js';
import type { BaseBackup } from './base-backup.js';
import type { Distrust } from './distrust.js';
import { type CapturedImage, ImageCapture } from './image-capture.js';
import { describeBackup } from './manifest-builder.js';

/** How long a backup tries to fold the log before it takes the log along, ms. */
const CHECKPOINT_TIMEOUT_MS = 2_000;

/** What a backup is written from. */
export interface BackupOrder {
  readonly request: BackupRequest;
  /** What the repository held when it was begun. */
  readonly listing: Listing;
  /** When it was begun, ms of the monotonic clock. */
  readonly started: number;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** What of the service a backup is written with. */
export interface WriterParts {
  readonly config: BackupConfig;
  readonly database: DatabaseService;
  readonly repository: Repository;
  readonly lineage: Lineage;
  readonly clock: Clock;
  readonly pool: BlockPool;
  readonly distrust: Distrust;
  /** A shutdown has run out of time. */
  readonly givenUp: AbortSignal;
  /** Throws where a manifest must not be written any more; asked right before. */
  readonly beforeCommit: () => Promise<void>;
}

/** Writes one backup: its name is reserved, its image stored, and its manifest commits it. */
export class BackupWriter {
  readonly #logger = new Logger('Backup');
  readonly #capture: ImageCapture;
  readonly #preparation: BackupPreparation;

  constructor(private readonly parts: WriterParts) {
    const { config, database, repository, clock, pool } = parts;
    this.#capture = new ImageCapture(database, repository, pool);
    this.#preparation = new BackupPreparation(config, repository, clock);
  }

  /**
   * Resolves when the backup is committed; its reservation is still there. A failure leaves nothing listed.
   *
   * @throws EiderError STORE_*, BACKUP_FAILED, BACKUP_IMAGE_CHANGED, and what `beforeCommit` throws
   */
  async write(order: BackupOrder): Promise<Manifest> {
    const { request, listing, started, progress, signal } = order;
    const { config, database, lineage, clock, distrust } = this.parts;
    await database.checkpoint({ timeoutMs: request.checkpointTimeoutMs ?? CHECKPOINT_TIMEOUT_MS });
    const captureStarted = clock.monotonicMs();
    // Records from here on may hold commits that the image does not.
    const { log } = lineage.state;
    const base = await abortable(this.#preparation.base(request, listing, distrust.backup), signal);
    const { name, image } = await this.#captureReserved(order, base);
    progress.step('commit');
    const manifest = describeBackup({
      name,
      image,
      request,
      config,
      encryption: this.#preparation.encryption,
      state: { ...lineage.state, log },
      now: clock.now(),
      durations: {
        checkpointMs: Math.round(captureStarted - started),
        captureMs: Math.round(clock.monotonicMs() - captureStarted),
        totalMs: Math.round(clock.monotonicMs() - started),
      },
    });
    await this.#commit(manifest);
    await lineage.saved(name, image.position);
    return manifest;
  }

  /** Ends the reservation of a backup that is committed; retention ends it otherwise. */
  async release({ name }: Manifest): Promise<void> {
    try {
      await this.#untilGivenUp(this.parts.repository.reservations.release(name));
    } catch (error) {
      this.#logger.warn(`the reservation of ${name} could not be removed: ${messageOf(error)}`);
    }
  }

  async #commit(manifest: Manifest): Promise<void> {
    const { name } = manifest;
    const { repository, lineage } = this.parts;
    if (!(await this.#untilGivenUp(repository.reservations.has(name)))) {
      // What arrived after retention had looked would be taken for a file that somebody put there.
      await this.#discard(name);
      throw new EiderError('BACKUP_FAILED', `${name} took more than a day: retention has removed what it had stored.`);
    }
    await this.#requireTurn(name);
    await lineage.committing(name);
    await this.#untilGivenUp(repository.manifests.commit(manifest));
  }

  /** A process that has been replaced meanwhile leaves no backup that would pass for the newest. */
  async #requireTurn(name: string): Promise<void> {
    try {
      await this.#untilGivenUp(this.parts.beforeCommit());
    } catch (error) {
      await this.#discard(name);
      throw error;
    }
  }

  async #captureReserved(
    order: BackupOrder,
    base: BaseBackup | undefined,
  ): Promise<{ name: string; image: CapturedImage }> {
    const { request, listing } = order;
    const { database, repository } = this.parts;
    const release = await database.holdCheckpoints();
    try {
      const first = await this.#untilGivenUp(this.#preparation.reserve(request, listing, base));
      try {
        return { name: first.name, image: await this.#captureInto(first, order) };
      } catch (error) {
        if (!isEiderError(error, 'BACKUP_IMAGE_CHANGED')) throw error;
        this.#logger.warn(`${error.message} It is copied again, with checkpoints held off.`);
      }
      const second = await this.#preparation.reserve(request, await repository.list(), base);
      const image = await database.guardCheckpoint(() => this.#captureInto(second, order));
      return { name: second.name, image };
    } finally {
      release();
    }
  }

  async #captureInto(
    { name, base, hurried }: ReservedBackup,
    { progress, signal }: BackupOrder,
  ): Promise<CapturedImage> {
    progress.step('copy');
    try {
      const { compression, encryption } = this.#preparation;
      const target = { name, compression, encryption, base, hashesTables: !hurried, signal };
      return await this.#capture.capture(target, progress);
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

  async #untilGivenUp<T>(request: Promise<T>): Promise<T> {
    return abortable(request, this.parts.givenUp);
  }
}
