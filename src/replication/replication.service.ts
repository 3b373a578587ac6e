import { Inject, Injectable, Logger } from '@nestjs/common';
import { BackupService } from '../backup/backup.service.js';
import { BaseBackup } from '../backup/base-backup.js';
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
import { BaseRemarks } from './base-remarks.js';
import { DurableCommits } from './durable-commits.js';
import { IterationShipper } from './iteration-shipper.js';
import { LogTurn, type TurnParts } from './log-turn.js';
import type { ReplicationState, ReplicationStatus } from './replication-status.js';
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
  #state: ReplicationState;
  #turn: LogTurn | undefined;
  #shipper: IterationShipper | undefined;
  readonly #remarks = new BaseRemarks();
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
    this.#state = backupRules.enabled && config.syncIntervalMs > 0 ? 'disconnected' : 'off';
    this.#durable = new DurableCommits(this.shipped, config.durableTimeoutMs, () => this.#lastError?.message);
    backups.requireBeforeCommit(() => this.#requireTurn());
    backups.onCommitted((manifest) => this.#baseTaken(manifest));
    database.observe({
      ships: this.#state !== 'off',
      reached: (position, signal) => this.#durable.reached(position, signal),
      opened: () => this.#opened(),
      closing: () => this.#closing(),
      prepareFold: (when) => this.#prepareFold(when),
      folded: () => this.#folded(),
    });
  }

  get state(): ReplicationState {
    return this.#state;
  }

  get status(): ReplicationStatus {
    const { bytes, since } = this.#shipper?.waiting ?? { bytes: 0, since: undefined };
    return {
      state: this.#state,
      shipped: this.shipped.current ?? null,
      waitingBytes: bytes,
      waitingSince: since === undefined ? null : new Date(since).toISOString(),
      records: this.#records,
      lastError: this.#lastError,
    };
  }

  /** Bytes that wait to be shipped, and since when in ms since 1970; undefined where nothing waits or nothing can be shipped. */
  get due(): { readonly bytes: number; readonly since: number } | undefined {
    if (this.#state !== 'shipping') return undefined;
    const { bytes, since } = this.#shipper?.waiting ?? { bytes: 0, since: undefined };
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
    if (this.#state !== 'disconnected' || !this.lineage.isKnown || this.lineage.state.fork) return;
    await this.#exclusively(async () => {
      if (this.#state !== 'disconnected') return;
      const { signal } = this.#life;
      await abortable(this.backups.mayShip(), signal);
      const { files } = this.database;
      const { turn, resume } = await LogTurn.take(this.#turnParts(files), signal);
      this.#turn = turn;
      this.#follow(files.header().iteration, resume.kind === 'continue' ? resume.from : 0);
      if (resume.kind === 'continue') this.#rest(resume.base, resume.from);
      else {
        this.#state = 'awaiting-base';
        if (resume.kind === 'diverged') {
          this.#logger.warn(`a new lineage has begun: ${resume.why}`);
          this.#remarks.noteGap(resume.why);
        } else if (resume.isKnown) this.#remarks.noteGap('commits were made while none were shipped');
      }
      this.#shipper?.look(this.clock.now().getTime());
    });
  }

  /** Looks for new commits: notes when each was first seen. Whether there was something new. */
  look(): boolean {
    const shipper = this.#shipper;
    if (shipper === undefined || (this.#state !== 'shipping' && this.#state !== 'awaiting-base')) return false;
    const finding = shipper.look(this.clock.now().getTime());
    if (finding === 'taken-back') this.#takeBack(shipper);
    if (finding === 'replaced') this.#replaced(shipper);
    return finding !== 'idle';
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
      if (this.#state === 'shipping') {
        this.look();
        await this.#ship(signal);
        const position = this.shipped.current;
        if (position !== undefined) await this.#close(position, signal);
      }
      this.abandon();
    });
  }

  async #close(position: FilePosition, signal: AbortSignal | undefined): Promise<void> {
    await this.#turn?.append({ kind: 'close', position: this.lineage.at(position) }, this.#while(signal));
  }

  /** Lets go of the open database without a word to the log: it is about to be closed or replaced. */
  abandon(): void {
    this.#shipper?.close();
    this.#shipper = undefined;
    this.#turn = undefined;
    this.#remarks.forgetTakenBack();
    this.shipped.fail(new EiderError('DATABASE_CLOSED', 'The database is being closed.'));
    if (this.#state !== 'off') this.#state = 'stopped';
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
    if (this.#state !== 'off') this.#state = 'disconnected';
  }

  async #ship(signal?: AbortSignal): Promise<void> {
    const [shipper, turn] = [this.#shipper, this.#turn];
    if (this.#state !== 'shipping' || shipper === undefined || turn === undefined) return;
    const life = this.#while(signal);
    try {
      // One record has its bounds. While it is on its way another iteration may begin.
      for (let head: LogHead | undefined; shipper === this.#shipper;) {
        head = await turn.write((writer) => shipper.ship(writer, life), life);
        if (head === undefined) break;
      }
      this.#lastError = null;
    } catch (error) {
      this.noteFailure(error);
      if (isEiderError(error, 'DATABASE_NOT_SYNCED') && shipper === this.#shipper) this.#notSynced(error);
      throw error;
    }
  }

  /** A record is in the store. */
  #note(head: LogHead): void {
    this.#records++;
    this.lineage.noteLog(head.number);
    if (head.kind !== 'wal' || this.#shipper?.note(head) !== true) return;
    this.shipped.advance({ iteration: head.iteration, offset: head.to });
  }

  #turnParts(files: TurnParts['files']): TurnParts {
    return {
      repository: this.repository,
      lineage: this.lineage,
      files,
      now: () => this.clock.now(),
      noted: (head) => this.#note(head),
      fenced: (error) => this.#fence(error),
    };
  }

  /** Looks whether another process has taken its turn: its records come behind the last one of this. */
  async #requireTurn(): Promise<void> {
    const turn = this.#turn;
    if (turn === undefined || (this.#state !== 'shipping' && this.#state !== 'awaiting-base')) return;
    await this.#exclusively(() => turn.require());
  }

  /** Ended by the database being closed, too. */
  #while(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#life.signal : AbortSignal.any([this.#life.signal, signal]);
  }

  /** A backup was committed: it is the base of its iteration, where that has none yet. */
  async #baseTaken(manifest: Manifest): Promise<void> {
    if (this.#state !== 'awaiting-base' && this.#state !== 'shipping') return;
    try {
      await this.#exclusively(() => this.#appendBackup(manifest));
    } catch (error) {
      this.noteFailure(error);
      this.#logger.warn(`the log does not tell of ${manifest.name}: ${messageOf(error)}`);
    }
    const { iteration, offset } = manifest.position;
    if (iteration !== this.#shipper?.iteration) return;
    // Only now: whoever believes that a commit is in the store relies on what this record says of those before.
    this.shipped.advance({ iteration, offset });
    if (this.#state === 'awaiting-base') this.#rest(manifest, 0);
  }

  async #appendBackup({ name, position }: Manifest): Promise<void> {
    const { gap, takenBack } = this.#remarks;
    await this.#turn?.append({ kind: 'backup', backup: name, position, gap, takenBack }, this.#life.signal);
    this.#remarks.clear();
  }

  /** Ships commits of this iteration from now on. */
  #rest(base: Manifest, offset: number): void {
    this.#shipper?.restOn(new BaseBackup(base, this.repository));
    this.#state = 'shipping';
    const { iteration } = base.position;
    this.shipped.advance({ iteration, offset: Math.max(offset, base.position.offset) });
  }

  /**
   * Called before a checkpoint folds the log: what is in it must be in the store first.
   *
   * @param when - `beforehand`, so that little is left to ship `now`, which is with every write held off
   * @returns false where the checkpoint has to wait
   */
  async #prepareFold(when: 'beforehand' | 'now'): Promise<boolean> {
    const isTooLong = (this.database.files.wal()?.size ?? 0) > this.config.mostUnshippedBytes;
    if (this.#state === 'disconnected') return isTooLong;
    this.look();
    if (this.#state !== 'shipping') return true;
    const signal = AbortSignal.timeout(FOLD_MS);
    try {
      // Also where a record before is on its way to a store that does not answer.
      await abortable(this.ship(signal), signal);
    } catch (error) {
      this.#logger.warn(`the log is not folded before it is shipped: ${messageOf(error)}`);
      return isTooLong;
    }
    // Beforehand, commits may have come meanwhile.
    return when === 'beforehand' || this.#isShipped() || isTooLong;
  }

  /** Whether every commit that was seen is in the store, or none can be shipped. */
  #isShipped(): boolean {
    const [shipper, shipped] = [this.#shipper, this.shipped.current];
    if (this.#state !== 'shipping' || shipper === undefined || shipper.position === 0) return true;
    return shipped?.iteration === shipper.iteration && shipped.offset >= shipper.position;
  }

  /** A checkpoint of ours is done: a new iteration begins, with a base of its own. */
  #folded(): void {
    const shipper = this.#shipper;
    if (shipper === undefined) return;
    const { iteration } = this.database.files.header();
    if (iteration === shipper.iteration) return;
    const wasLost = !this.#isShipped() || (this.#state === 'awaiting-base' && shipper.position > 0);
    if (wasLost) this.#remarks.noteGap('a checkpoint came before everything was shipped');
    this.#follow(iteration, 0);
    if (this.#state === 'shipping') this.#state = 'awaiting-base';
  }

  /** The log is shipped from its beginning again, resting on a new base: nothing is missing then. */
  #takeBack(shipper: IterationShipper): void {
    this.#logger.warn('a commit was taken back by DuckDB after it was seen: a new base is taken');
    this.#remarks.noteTakenBack(this.lineage.at({ iteration: shipper.iteration, offset: shipper.commitBefore }));
    // The next commits stand where it stood: none of them is in the store yet.
    this.shipped.reset();
    this.#beginAgain();
  }

  /** Whether a commit is there is not known before a checkpoint: it is in the base that follows, or nowhere. */
  #notSynced(error: EiderError): void {
    this.#logger.error(error.message);
    this.#remarks.noteGap('the disk did not take the log');
    this.#beginAgain();
  }

  /** Everything that was in the log has been seen, so a checkpoint of ours that is just ending leaves nothing behind. */
  #replaced(shipper: IterationShipper): void {
    const wasSeen = this.#state === 'shipping' && shipper.isFollowing;
    if (!wasSeen || shipper.waiting.bytes > 0) {
      const why = 'the log was folded by a checkpoint that Eider did not make';
      this.#logger.warn(`${why}: a new base is taken`);
      this.#remarks.noteGap(why);
    }
    this.#beginAgain();
  }

  #beginAgain(): void {
    this.#follow(this.database.files.header().iteration, 0);
    this.#state = 'awaiting-base';
  }

  #follow(iteration: number, from: number): void {
    this.#shipper?.close();
    const { files } = this.database;
    const compression = this.backupRules.compress ? 'zstd' : 'none';
    const { store, keyring } = this.repository;
    const parts = { files, pool: this.pool, store, keyring, compression } as const;
    this.#shipper = new IterationShipper(parts, iteration, from);
  }

  async #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#underWay.then(work);
    this.#underWay = result.catch(() => {});
    return result;
  }

  /** Another writer was found: nothing is written any more. */
  async #fence(error: EiderError): Promise<void> {
    this.#state = 'fenced';
    this.#logger.error(error.message);
    this.shipped.fail(error);
    await this.database.writeGate.close(FENCED);
    await this.lineage.fork();
  }
}
