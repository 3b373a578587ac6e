import { Inject, Injectable, Logger } from '../runtime/injection.js';
import { backupConfig, type BackupConfig } from '../config/backup.config.js';
import { messageOf } from '../errors/eider-error.js';
import { abortable } from '../runtime/abortable.js';
import { Clock } from '../runtime/clock.js';
import { BackupService } from './backup.service.js';
import { RetentionService } from './retention.service.js';

/** First pause after a failed backup, ms; it doubles with each further one, up to the interval. */
const FIRST_RETRY_MS = 30_000;

/** How often the time is looked at, ms: a clock that jumps or a machine that slept is then noticed. */
const TICK_MS = 15_000;

/** Takes a backup when the newest one is older than the interval, and removes old ones after it. */
@Injectable()
export class BackupScheduler {
  readonly #logger = new Logger('BackupScheduler');
  #stop: AbortController | undefined;
  #loop: Promise<void> = Promise.resolve();
  #checkedAt: number | undefined;
  #failedAt: number | undefined;

  constructor(
    @Inject(backupConfig.KEY) private readonly config: BackupConfig,
    private readonly backups: BackupService,
    private readonly retention: RetentionService,
    private readonly clock: Clock,
  ) {}

  /** Starts the schedule. Idempotent. */
  start(): void {
    if (this.#stop !== undefined || !this.config.enabled || this.config.intervalMs === 0) return;
    const stop = new AbortController();
    this.#stop = stop;
    this.#loop = this.#run(stop.signal);
  }

  /**
   * Ends the schedule; a backup under way is waited for, since it would be taken again otherwise. A removal of old ones
   * is left off: the next run goes on with it. Idempotent.
   */
  async stop(): Promise<void> {
    this.#stop?.abort();
    this.#stop = undefined;
    await this.#loop;
  }

  /** When the next backup is due, by the newest one in the repository: a restart does not put it off. */
  nextDueAt(): Date {
    const { last, failures } = this.backups.status;
    const now = this.clock.now().getTime();
    if (failures > 0 && this.#failedAt !== undefined && this.#failedAt <= now) {
      const pause = Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), Math.max(this.config.intervalMs, FIRST_RETRY_MS));
      return new Date(this.#failedAt + pause);
    }
    // Until then a lost disk would bring back what the restore was to undo: the pre-restore backup is the newest one.
    if (this.backups.leftNewestBehind || this.backups.mustBeFull) return new Date(now);
    // What a wrong clock dated into the future must not put off the next backup.
    const known = [last === null ? 0 : Date.parse(last.createdAt), this.#checkedAt ?? 0];
    return new Date(Math.max(0, ...known.filter((time) => time <= now)) + this.config.intervalMs);
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.clock.now() >= this.nextDueAt()) await this.#backUp(signal);
      try {
        await this.clock.sleep(TICK_MS, signal);
      } catch {
        return;
      }
    }
  }

  async #backUp(signal: AbortSignal): Promise<void> {
    try {
      const outcome = await this.backups.create({ trigger: 'interval', onlyIfChanged: true });
      this.#failedAt = undefined;
      // With nothing to save the newest backup stays old; the interval counts from this look instead.
      this.#checkedAt = this.clock.now().getTime();
      if (outcome.created) await this.#retain(signal);
    } catch (error) {
      this.#failedAt = this.clock.now().getTime();
      this.#logger.warn(`the next try is at ${this.nextDueAt().toISOString()}: ${messageOf(error)}`);
    }
  }

  async #retain(signal: AbortSignal): Promise<void> {
    try {
      // It deletes nothing more once it is aborted, and a store that does not answer must not hold a stop up.
      await abortable(this.retention.run({ signal }), signal);
    } catch (error) {
      // Left off by a stop: the next run goes on with it.
      if (signal.aborted) return;
      this.#logger.warn(`retention removed nothing: ${messageOf(error)}`);
    }
  }
}
