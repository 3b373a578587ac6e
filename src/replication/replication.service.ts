import { Inject, Injectable, Logger } from '@nestjs/common';
import { BackupService } from '../backup/backup.service.js';
import { BlockPool } from '../block-pool/block-pool.js';
import { backupConfig, type BackupConfig } from '../config/backup.config.js';
import { replicationConfig, type ReplicationConfig } from '../config/replication.config.js';
import { DatabaseService } from '../database/database.service.js';
import type { FilePosition } from '../duckdb-format/file-position.js';
import { EiderError, isEiderError, messageOf } from '../errors/eider-error.js';
import { Lineage } from '../lineage/lineage.js';
import type { LogHead } from '../repository/log-record.js';
import type { Manifest } from '../repository/manifest.js';
import { Repository } from '../repository/repository.js';
import { abortable } from '../runtime/abortable.js';
import { Clock } from '../runtime/clock.js';
import type { BaseRemarks } from './base-remarks.js';
import { DurableCommits } from './durable-commits.js';
import { type FollowerParts, LogFollower } from './log-follower.js';
import { LogTurn, type TurnParts } from './log-turn.js';
import type { FollowingState, ReplicationState, ReplicationStatus } from './replication-status.js';
import { ShippedPosition } from './shipped-position.js';

/** How long writes wait for what is shipped before a checkpoint, ms: it is put off where the store does not answer. */
const FOLD_MS = 2_000;

/** Why writes are refused once another process has taken over the log. */
const FENCED = 'another process has taken over this database';

/** Ships every commit of the open database to the log. */
@Injectable()
export class ReplicationService {
  readonly #logger = new Logger('Replication');
  readonly shipped = new ShippedPosition();
  readonly #durable: DurableCommits;
  /** `following` is told by the follower. */
  #phase: Exclude<ReplicationState, FollowingState> | 'following';
  #turn: LogTurn | undefined;
  #follower: LogFollower | undefined;
  #underWay: Promise<unknown> = Promise.resolve();
  #records = 0;
  #lastError: ReplicationStatus['lastError'] = null;
  /** Ends what is under way when the database is closed. */
  #life = new AbortController();

  constructor(
    @Inject(backupConfig.KEY) private readonly backupRules: BackupConfig,
    @Inject(replicationConfig.KEY) private readonly config: ReplicationConfig,
    private readonly database: DatabaseService,
    private readonly backups: BackupService,
    private readonly repository: Repository,
    private readonly lineage: Lineage,
    private readonly pool: BlockPool,
    private readonly clock: Clock,
  ) {
    this.#phase = backupRules.enabled && config.syncIntervalMs > 0 ? 'disconnected' : 'off';
    this.#durable = new DurableCommits(this.shipped, config.durableTimeoutMs, () => this.#lastError?.message);
    backups.requireBeforeCommit(() => this.#requireTurn());
    backups.onCommitted((manifest) => this.#baseTaken(manifest));
    database.observe({
      ships: this.#phase !== 'off',
      reached: (position, signal) => this.#durable.reached(position, signal),
      opened: () => this.#opened(),
      closing: () => this.#closing(),
      prepareFold: (when) => this.#prepareFold(when),
      folded: () => this.#follower?.folded(),
    });
  }

  get state(): ReplicationState {
    return this.#phase === 'following' ? (this.#follower?.state ?? 'stopped') : this.#phase;
  }

  get status(): ReplicationStatus {
    const { bytes, since } = this.#follower?.waiting ?? { bytes: 0, since: undefined };
    return {
      state: this.state,
      shipped: this.shipped.current ?? null,
      waitingBytes: bytes,
      waitingSince: since === undefined ? null : new Date(since).toISOString(),
      records: this.#records,
      lastError: this.#lastError,
    };
  }

  /** Bytes that wait to be shipped, and since when in ms since 1970; undefined where nothing waits or nothing can be shipped. */
  get due(): { readonly bytes: number; readonly since: number } | undefined {
    if (this.state !== 'shipping') return undefined;
    const { bytes, since } = this.#follower?.waiting ?? { bytes: 0, since: undefined };
    if (since === undefined && this.#turn?.isInDoubt !== true) return undefined;
    return { bytes, since: since ?? 0 };
  }

  /**
   * Takes the turn at the log for the database that was just opened, and finds where to go on. Before anything is written
   * or folded: what a crash left unshipped is shipped first.
   *
   * @throws EiderError STORE_*, LOG_RECORD_CORRUPT: the log is not reached, and `connect` is to be called again
   */
  async connect(): Promise<void> {
    if (this.#phase !== 'disconnected' || !this.lineage.isKnown || this.lineage.state.fork) return;
    await this.#exclusively(async () => {
      if (this.#phase !== 'disconnected') return;
      const { signal } = this.#life;
      await abortable(this.backups.mayShip(), signal);
      const { turn, resume } = await LogTurn.take(this.#turnParts(), signal);
      this.#turn = turn;
      this.#follower = new LogFollower(this.#followerParts(), resume);
      this.#phase = 'following';
      this.look();
    });
  }

  /** Looks for new commits: notes when each was first seen. Whether there was something new. */
  look(): boolean {
    return this.#phase === 'following' && this.#follower?.look(this.clock.now().getTime()) === true;
  }

  /**
   * Ships what was seen, as one record. Callers at the same time share it.
   *
   * @throws EiderError REPLICATION_FENCED, STORE_*: what was to be shipped waits
   */
  async ship(signal?: AbortSignal): Promise<void> {
    await this.#exclusively(() => this.#ship(signal));
  }

  /** Ships what is left and closes the turn. Idempotent. */
  async stop(signal?: AbortSignal): Promise<void> {
    await this.#exclusively(async () => {
      if (this.state === 'shipping') {
        this.look();
        await this.#ship(signal);
        const position = this.shipped.current;
        if (position !== undefined) await this.#closeTurn(position, signal);
      }
      this.abandon();
    });
  }

  async #closeTurn(position: FilePosition, signal: AbortSignal | undefined): Promise<void> {
    await this.#turn?.append({ kind: 'close', position: this.lineage.at(position) }, this.#while(signal));
  }

  /** Lets go of the open database without a word to the log: it is about to be closed or replaced. */
  abandon(): void {
    this.#follower?.close();
    this.#follower = undefined;
    this.#turn = undefined;
    this.shipped.fail(new EiderError('DATABASE_CLOSED', 'The database is being closed.'));
    if (this.#phase !== 'off') this.#phase = 'stopped';
  }

  /** Ends what is under way and waits for it: a descriptor that is closed can at once be that of another file. */
  async #closing(): Promise<void> {
    this.#life.abort(new EiderError('DATABASE_CLOSED', 'The database is being closed.'));
    await this.#underWay;
    this.abandon();
  }

  /** Called when somebody waits for a commit to be shipped: now rather than at the next interval. */
  onAwaited(act: () => void): void {
    this.#durable.onAwaited(act);
  }

  /** Notes a failure of what runs by itself. */
  noteFailure(error: unknown): void {
    const code = isEiderError(error) ? error.code : 'INTERNAL';
    this.#lastError = { code, message: messageOf(error), at: this.clock.now().toISOString() };
  }

  /** `connect` takes a turn for it. */
  #opened(): void {
    this.shipped.reset();
    this.#life = new AbortController();
    // Whoever opens another database here has taken note of what is in the store.
    this.database.resumeWrites(FENCED);
    if (this.#phase !== 'off') this.#phase = 'disconnected';
  }

  async #ship(signal?: AbortSignal): Promise<void> {
    const [follower, turn] = [this.#follower, this.#turn];
    if (this.state !== 'shipping' || follower === undefined || turn === undefined) return;
    try {
      await follower.ship(turn, this.#while(signal));
      this.#lastError = null;
    } catch (error) {
      this.noteFailure(error);
      throw error;
    }
  }

  /** A record is in the store. */
  #note(head: LogHead): void {
    this.#records++;
    this.lineage.noteLog(head.number);
    this.#follower?.note(head);
  }

  #followerParts(): FollowerParts {
    const { database, repository, lineage, shipped, pool } = this;
    return {
      database,
      repository,
      lineage,
      shipped,
      shipping: { pool, compression: this.backupRules.compress ? 'zstd' : 'none' },
    };
  }

  #turnParts(): TurnParts {
    return {
      repository: this.repository,
      lineage: this.lineage,
      files: this.database.files,
      now: () => this.clock.now(),
      noted: (head) => this.#note(head),
      fenced: (error) => this.#fence(error),
    };
  }

  /** Looks whether another process has taken its turn: its records come behind the last one of this. */
  async #requireTurn(): Promise<void> {
    const turn = this.#turn;
    if (turn === undefined || this.#phase !== 'following') return;
    await this.#exclusively(() => turn.require());
  }

  /** Ended by the database being closed, too. */
  #while(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#life.signal : AbortSignal.any([this.#life.signal, signal]);
  }

  /** A backup was committed: it is the base of its iteration, where that has none yet. */
  async #baseTaken(manifest: Manifest): Promise<void> {
    const follower = this.#follower;
    if (this.#phase !== 'following' || follower === undefined) return;
    try {
      await this.#exclusively(() => this.#appendBackup(manifest, follower.remarks));
    } catch (error) {
      this.noteFailure(error);
      this.#logger.warn(`the log does not tell of ${manifest.name}: ${messageOf(error)}`);
    }
    if (follower === this.#follower) follower.baseTaken(manifest);
  }

  async #appendBackup({ name, position }: Manifest, remarks: BaseRemarks): Promise<void> {
    const told = remarks.take();
    try {
      await this.#turn?.append({ kind: 'backup', backup: name, position, ...told }, this.#life.signal);
    } catch (error) {
      remarks.putBack(told);
      throw error;
    }
  }

  /**
   * Called before a checkpoint folds the log: what is in it must be in the store first.
   *
   * @param when - `beforehand`, so that little is left to ship `now`, which is with every write held off
   * @returns false where the checkpoint has to wait
   */
  async #prepareFold(when: 'beforehand' | 'now'): Promise<boolean> {
    const isTooLong = (this.database.files.wal()?.size ?? 0) > this.config.mostUnshippedBytes;
    if (this.#phase === 'disconnected') return isTooLong;
    this.look();
    if (this.state !== 'shipping') return true;
    const signal = AbortSignal.timeout(FOLD_MS);
    try {
      // Also where a record before is on its way to a store that does not answer.
      await abortable(this.ship(signal), signal);
    } catch (error) {
      this.#logger.warn(`the log is not folded before it is shipped: ${messageOf(error)}`);
      return isTooLong;
    }
    // Beforehand, commits may have come meanwhile.
    return when === 'beforehand' || this.#follower?.isShipped !== false || isTooLong;
  }

  async #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#underWay.then(work);
    this.#underWay = result.catch(() => {});
    return result;
  }

  /** Another writer was found: nothing is written any more. */
  async #fence(error: EiderError): Promise<void> {
    this.#phase = 'fenced';
    this.#logger.error(error.message);
    this.shipped.fail(error);
    await this.database.writeGate.close(FENCED);
    await this.lineage.fork();
  }
}
