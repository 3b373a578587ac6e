import { Inject, Injectable, Logger } from '../runtime/injection.js';
import { databaseConfig, type DatabaseConfig } from '../config/database.config.js';
import { messageOf } from '../errors/eider-error.js';
import { Clock } from '../runtime/clock.js';
import { DatabaseService } from './database.service.js';

/** How often the log is looked at, ms. */
const LOOK_MS = 5_000;
/**
 * Commits from which a checkpoint is made whatever their size: replaying them takes the next start 0.2 to 0.3 ms each,
 * measured on DuckDB 1.5.6.
 */
const MOST_COMMITS = 20_000;
/** How long one try may wait for other transactions, ms, and where the log is four times as long as it should be. */
const TRY_MS = 2_000;
const LONG_TRY_MS = 10_000;
/** Each look that was in vain doubles the time to the next one, up to this many times. */
const MOST_DOUBLINGS = 4;

/**
 * Whether a log should be folded.
 *
 * @param size - bytes of the log
 * @param commits - counts the commits in the log; asked only where there can be enough of them
 * @param mostBytes - size from which it is due
 */
export function isCheckpointDue(size: number, commits: () => number, mostBytes: number): boolean {
  // The smallest commit takes more than 40 bytes, so a small log need not be walked.
  return size >= mostBytes || (size >= MOST_COMMITS * 40 && commits() >= MOST_COMMITS);
}

/** Makes a checkpoint when the log has grown: nothing else does, since DuckDB's own checkpoints are turned off. */
@Injectable()
export class CheckpointWatcher {
  readonly #logger = new Logger('Checkpoint');
  #stop: AbortController | undefined;
  #loop: Promise<void> = Promise.resolve();
  /** Looks in a row that found transactions in the way. */
  #blocked = 0;

  constructor(
    @Inject(databaseConfig.KEY) private readonly config: DatabaseConfig,
    private readonly database: DatabaseService,
    private readonly clock: Clock,
  ) {}

  /** Idempotent. */
  start(): void {
    if (this.#stop !== undefined) return;
    const stop = new AbortController();
    this.#stop = stop;
    this.#loop = this.#run(stop.signal);
  }

  /** Joins a checkpoint under way. Idempotent. */
  async stop(): Promise<void> {
    this.#stop?.abort();
    this.#stop = undefined;
    await this.#loop;
  }

  /** Looks at the log once; true when a checkpoint was made. */
  async look(): Promise<boolean> {
    if (!this.database.isOpen) return false;
    const { files } = this.database;
    const size = files.wal()?.size ?? 0;
    const due = isCheckpointDue(size, () => files.commitsInLog(), this.config.checkpointWalBytes);
    if (!due) return false;
    const isLong = size >= 4 * this.config.checkpointWalBytes;
    const done = await this.database.checkpoint({ timeoutMs: isLong ? LONG_TRY_MS : TRY_MS });
    if (!done && this.#blocked === 0) {
      this.#logger.warn(
        `the log has ${size} bytes and cannot be folded: in the way is ${this.database.checkpointObstacle ?? 'nothing any more'}`,
      );
    }
    this.#blocked = done ? 0 : this.#blocked + 1;
    return done;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.look();
      } catch (error) {
        this.#logger.error(`the checkpoint failed: ${messageOf(error)}`);
      }
      try {
        // Every try makes writes wait for a moment.
        await this.clock.sleep(LOOK_MS * 2 ** Math.min(this.#blocked, MOST_DOUBLINGS), signal);
      } catch {
        return;
      }
    }
  }
}
