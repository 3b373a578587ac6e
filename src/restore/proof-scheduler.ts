import { Inject, Injectable, Logger } from '../runtime/injection.js';
import { restoreConfig, type RestoreConfig } from '../config/restore.config.js';
import { messageOf } from '../errors/eider-error.js';
import type { Manifest } from '../repository/manifest.js';
import { Repository } from '../repository/repository.js';
import { Clock } from '../runtime/clock.js';
import { ProofService } from './proof.service.js';

/** How often the time is looked at, ms. */
const TICK_MS = 60_000;
/** A start has enough to do: no proof before this, ms. */
const SETTLE_MS = 10 * 60_000;
/** After one that could not be made, such as for want of room, the next try, ms. */
const RETRY_MS = 3_600_000;

/** Proves the newest backup every VERIFY_INTERVAL_HOURS. */
@Injectable()
export class ProofScheduler {
  readonly #logger = new Logger('Proof');
  #stop: AbortController | undefined;
  #loop: Promise<void> = Promise.resolve();
  #notBefore = 0;
  #error: string | null = null;

  constructor(
    @Inject(restoreConfig.KEY) private readonly rules: RestoreConfig,
    private readonly proofs: ProofService,
    private readonly repository: Repository,
    private readonly clock: Clock,
  ) {}

  /** Why the last proof could not be made; null where it could. */
  get error(): string | null {
    return this.#error;
  }

  /** Idempotent. */
  start(): void {
    if (this.#stop !== undefined || this.rules.verifyEveryMs === 0) return;
    const stop = new AbortController();
    this.#stop = stop;
    this.#notBefore = this.clock.now().getTime() + SETTLE_MS;
    this.#loop = this.#run(stop.signal);
  }

  /** Gives up a proof under way: it leaves nothing. Idempotent. */
  async stop(): Promise<void> {
    this.#stop?.abort(new Error('the service is shutting down'));
    this.#stop = undefined;
    await this.#loop;
  }

  /** Proves the newest backup if that is due; true when it was tried. */
  async look(signal?: AbortSignal): Promise<boolean> {
    const now = this.clock.now().getTime();
    if (now < this.#notBefore || !this.#isDue(now)) return false;
    try {
      const newest = await this.#newest();
      if (newest === undefined) return false;
      await this.proofs.prove(newest, undefined, signal);
      this.#error = null;
    } catch (error) {
      if (signal?.aborted === true) return true;
      this.#error = messageOf(error);
      this.#notBefore = now + RETRY_MS;
      this.#logger.warn(`the newest backup could not be proven: ${this.#error}`);
    }
    return true;
  }

  async #newest(): Promise<Manifest | undefined> {
    return this.repository.newest((await this.repository.list()).backups);
  }

  #isDue(now: number): boolean {
    const { last, isOvertaken } = this.proofs;
    if (last === undefined || isOvertaken) return true;
    const at = Date.parse(last.at);
    // One that a wrong clock dated into the future does not count.
    return at > now || now >= at + this.rules.verifyEveryMs;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look(signal);
      try {
        await this.clock.sleep(TICK_MS, signal);
      } catch {
        return;
      }
    }
  }
}
