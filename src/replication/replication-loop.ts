import { Inject, Injectable, Logger } from '@nestjs/common';
import { BackupService } from '../backup/backup.service.js';
import { replicationConfig, type ReplicationConfig } from '../config/replication.config.js';
import { messageOf } from '../errors/eider-error.js';
import { DatabaseService } from '../database/database.service.js';
import { Clock } from '../runtime/clock.js';
import { LogWatch } from './log-watch.js';
import { LookPace } from './look-pace.js';
import { ReplicationService } from './replication.service.js';

/** From this many bytes on commits are shipped at once. */
const SHIP_AT_ONCE = 1024 * 1024;
/** Pause after a failure, ms; doubled with each further one. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/** Runs replication by itself while the service serves. */
@Injectable()
export class ReplicationLoop {
  readonly #logger = new Logger('Replication');
  #stop: AbortController | undefined;
  #loop: Promise<void> = Promise.resolve();
  #acting: Promise<void> | undefined;
  #failures = 0;
  #pausedUntil = 0;
  /** Whether there was something new since the pace was told so. */
  #found = false;

  constructor(
    @Inject(replicationConfig.KEY) private readonly config: ReplicationConfig,
    private readonly replication: ReplicationService,
    private readonly backups: BackupService,
    private readonly database: DatabaseService,
    private readonly clock: Clock,
  ) {}

  /** Idempotent. */
  start(): void {
    if (this.#stop !== undefined || this.replication.state === 'off') return;
    const stop = new AbortController();
    this.#stop = stop;
    this.replication.onAwaited(() => this.#tick());
    this.#loop = this.#run(stop.signal);
  }

  /** Joins what is under way; ships nothing more. Idempotent. */
  async stop(): Promise<void> {
    this.#stop?.abort();
    this.#stop = undefined;
    await this.#loop;
    await this.#acting;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const pace = new LookPace(new LogWatch(this.database.path), this.clock);
    while (!signal.aborted) {
      this.#tick();
      const found = this.#found;
      this.#found = false;
      await pace.next({ found, busy: this.#isBusy() }, signal);
    }
    pace.close();
  }

  /** Whether something is to be done before the next write. */
  #isBusy(): boolean {
    return this.#acting !== undefined || this.replication.due !== undefined || this.#hasWork();
  }

  /** Whether something is to be done now. */
  #hasWork(): boolean {
    const { state } = this.replication;
    return state === 'disconnected' || state === 'awaiting-base' || (state === 'shipping' && this.#isDue());
  }

  /** Never waits for the store: commits have to be seen meanwhile. */
  #tick(): void {
    try {
      this.#found = this.replication.look() || this.#found;
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (this.#acting !== undefined || !this.#hasWork() || this.clock.monotonicMs() < this.#pausedUntil) return;
    this.#acting = this.#act()
      .then(
        () => void (this.#failures = 0),
        (error: unknown) => this.#fail(error),
      )
      .finally(() => {
        this.#acting = undefined;
        // Whoever came while the last record was on its way shares the next one.
        if (this.#stop !== undefined && this.replication.shipped.isAwaited && this.#isDue()) this.#tick();
      });
  }

  async #act(): Promise<void> {
    switch (this.replication.state) {
      case 'disconnected':
        return this.replication.connect();
      case 'awaiting-base':
        // One that is under way becomes the base.
        if (!this.backups.status.running) await this.backups.create({ trigger: 'checkpoint' });
        return;
      case 'shipping':
        return this.replication.ship();
      default:
        return;
    }
  }

  #isDue(): boolean {
    const { due } = this.replication;
    if (due === undefined) return false;
    const waited = this.clock.now().getTime() - due.since;
    return due.bytes >= SHIP_AT_ONCE || waited >= this.config.syncIntervalMs || this.replication.shipped.isAwaited;
  }

  #fail(error: unknown): void {
    this.replication.noteFailure(error);
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.#failures, LONGEST_PAUSE_MS);
    if (this.#failures === 0) this.#logger.warn(`nothing is shipped for the time being: ${messageOf(error)}`);
    this.#failures++;
    this.#pausedUntil = this.clock.monotonicMs() + pause;
  }
}
