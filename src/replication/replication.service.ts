import { Inject, Injectable, Logger } from '@nestjs/common';
import { hostname } from 'node:os';
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
import { Clock } from '../runtime/clock.js';
import { BlockChanges } from './block-changes.js';
import { LogWriter } from './log-writer.js';
import { findResumePoint } from './resume-point.js';
import { ShippedPosition } from './shipped-position.js';
import { storeSegment } from './wal-segment.js';
import { type SeenCommits, WalTail } from './wal-tail.js';

/**
 * From this size on the log is folded although the store does not answer, bytes: points in between can then not be restored,
 * while the database itself is in the next backup.
 */
const MOST_UNSHIPPED = 256 * 1024 * 1024;

/** How long writes wait for what is shipped before a checkpoint, ms: it is put off where the store does not answer. */
const FOLD_MS = 2_000;

/** Why writes are refused once another process has taken over the log. */
const FENCED = 'another process has taken over this database';

/** What shipping is doing. */
export type ReplicationState =
  /** R2_WAL_SYNC_INTERVAL_MS is 0, or backups are turned off. */
  | 'off'
  /** The log was not reached since the start. */
  | 'disconnected'
  /** A backup has to be taken first: commits since the last checkpoint rest on it. */
  | 'awaiting-base'
  | 'shipping'
  /** Another process has taken over. */
  | 'fenced'
  | 'stopped';

/** How far shipping is, for health. */
export interface ReplicationStatus {
  readonly state: ReplicationState;
  /** What is in the store; null while that is not known. */
  readonly shipped: FilePosition | null;
  /** Bytes of commits that are not. */
  readonly waitingBytes: number;
  /** When the oldest of these was seen; null where there is none. */
  readonly waitingSince: string | null;
  /** Records that this process wrote. */
  readonly records: number;
  readonly lastError: { readonly code: string; readonly message: string; readonly at: string } | null;
}

/** Ships every commit of the open database to the log. */
@Injectable()
export class ReplicationService {
  readonly #logger = new Logger('Replication');
  readonly shipped = new ShippedPosition();
  #state: ReplicationState;
  #writer: LogWriter | undefined;
  #tail: WalTail | undefined;
  #changes: BlockChanges | undefined;
  /** Name of the backup that this iteration rests on. */
  #base = '';
  /** What the record in doubt holds; it is settled before anything else is shipped. */
  #inDoubt: SeenCommits | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #records = 0;
  #lastError: ReplicationStatus['lastError'] = null;
  #whenAwaited: () => void = () => {};
  /** Why commits before the next base may be in no record. */
  #gap: string | null = null;

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
    backups.onCommitted((manifest) => this.#baseTaken(manifest));
    database.observe({
      ships: this.#state !== 'off',
      reached: (position, signal) => this.#reached(position, signal),
      opened: () => this.#opened(),
      closing: () => this.abandon(),
      prepareFold: () => this.#prepareFold(),
      folded: () => this.#folded(),
    });
  }

  get state(): ReplicationState {
    return this.#state;
  }

  get status(): ReplicationStatus {
    const since = this.#tail?.waitingSince;
    return {
      state: this.#state,
      shipped: this.shipped.current ?? null,
      waitingBytes: this.#tail?.waiting ?? 0,
      waitingSince: since === undefined ? null : new Date(since).toISOString(),
      records: this.#records,
      lastError: this.#lastError,
    };
  }

  /** Bytes that wait to be shipped, and since when in ms since 1970; undefined where nothing waits or nothing can be shipped. */
  get due(): { readonly bytes: number; readonly since: number } | undefined {
    if (this.#state !== 'shipping') return undefined;
    const bytes = this.#tail?.waiting ?? 0;
    const since = this.#tail?.waitingSince;
    return since === undefined && this.#inDoubt === undefined ? undefined : { bytes, since: since ?? 0 };
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
      await this.backups.mayShip();
      const { files } = this.database;
      const listing = await this.repository.list();
      const newest = await this.repository.newest(listing.backups);
      const last = await this.repository.log.last(Math.max(this.lineage.state.log, newest?.log ?? 0));
      const resume = await findResumePoint(files, this.lineage.state, this.repository, last);
      if (resume.kind === 'diverged') {
        this.#logger.warn(`a new lineage begins: ${resume.why}`);
        await this.lineage.renew();
      }
      const author = (): Pick<LogHead, 'writer' | 'epoch' | 'lineage'> => this.lineage.state;
      this.#writer = new LogWriter(this.repository.log, author, () => this.clock.now(), last);
      await this.#append({
        kind: 'open',
        parent: this.lineage.state.lineageParent,
        position: this.lineage.at(files.position()),
        host: hostname(),
      });
      this.#follow(files.header().iteration, resume.kind === 'continue' ? resume.from : 0);
      if (resume.kind === 'continue') this.#rest(resume.base, resume.from);
      else {
        this.#state = 'awaiting-base';
        if (resume.kind === 'diverged') this.#gap = resume.why;
        else if (resume.isKnown) this.#gap = 'commits were made while none were shipped';
      }
      this.#tail?.look(this.clock.now().getTime());
    });
  }

  /** Looks for new commits: notes when each was first seen. */
  look(): void {
    const tail = this.#tail;
    if (tail === undefined || (this.#state !== 'shipping' && this.#state !== 'awaiting-base')) return;
    const finding = tail.look(this.clock.now().getTime());
    if (finding === 'taken-back') this.#interrupt('a commit was taken back by DuckDB after it was seen');
    if (finding === 'replaced') this.#interrupt('the log was folded by a checkpoint that Eider did not make');
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
        if (position !== undefined) await this.#append({ kind: 'close', position: this.lineage.at(position) }, signal);
      }
      this.abandon();
    });
  }

  /** Lets go of the open database without a word to the log: it is about to be closed or replaced. */
  abandon(): void {
    this.#tail?.close();
    this.#tail = undefined;
    this.#changes = undefined;
    this.#inDoubt = undefined;
    this.#writer = undefined;
    this.shipped.fail(new EiderError('DATABASE_CLOSED', 'The database is being closed.'));
    if (this.#state !== 'off') this.#state = 'stopped';
  }

  /** Called when somebody waits for a commit to be shipped: now rather than at the next interval. */
  onAwaited(act: () => void): void {
    this.#whenAwaited = act;
  }

  /** Notes a failure of what runs by itself. */
  noteFailure(error: unknown): void {
    const code = isEiderError(error) ? error.code : 'INTERNAL';
    this.#lastError = { code, message: messageOf(error), at: this.clock.now().toISOString() };
  }

  async #reached(position: FilePosition, signal: AbortSignal | undefined): Promise<void> {
    const late = AbortSignal.timeout(this.config.durableTimeoutMs);
    const reached = this.shipped.reached(position, signal === undefined ? late : AbortSignal.any([signal, late]));
    this.#whenAwaited();
    try {
      await reached;
    } catch (error) {
      if (isEiderError(error)) throw error;
      const why = this.#lastError?.message ?? `it took longer than ${this.config.durableTimeoutMs} ms`;
      throw new EiderError('COMMIT_NOT_DURABLE', `The commit is in the local database, and not in the store: ${why}.`, {
        cause: error,
        retryAfterSeconds: 5,
      });
    }
  }

  /** `connect` takes a turn for it. */
  #opened(): void {
    this.shipped.reset();
    if (this.#state !== 'off') this.#state = 'disconnected';
  }

  async #ship(signal?: AbortSignal): Promise<void> {
    const tail = this.#tail;
    const writer = this.#writer;
    if (this.#state !== 'shipping' || tail === undefined || writer === undefined) return;
    if (this.#inDoubt !== undefined) await this.#settle(writer, signal);
    const seen = tail.take();
    if (seen === undefined || tail.descriptor === undefined) return;
    const slot = writer.slot();
    try {
      const { compress } = this.backupRules;
      const compression = compress ? 'zstd' : 'none';
      const changes = seen.rowGroups ? this.#changes : undefined;
      const source = { ...slot, descriptor: tail.descriptor, seen, compression, changes } as const;
      const { inline, ...stored } = await storeSegment(this.repository.store, source, signal);
      const { from, to, commits } = seen;
      const marks = [...seen.marks];
      this.#inDoubt = seen;
      const entry = {
        kind: 'wal',
        base: this.#base,
        iteration: tail.iteration,
        from,
        to,
        commits,
        marks,
        compression,
        ...stored,
      } as const;
      await this.#guarded(() =>
        writer.append(slot, { ...entry, blocks: [...stored.blocks] }, inline, optional(signal)),
      );
      this.#noteShipped(seen, stored.blocks);
    } catch (error) {
      // One in doubt keeps its bytes until it is settled.
      if (!writer.isInDoubt) tail.putBack(seen);
      this.noteFailure(error);
      throw error;
    }
  }

  async #settle(writer: LogWriter, signal?: AbortSignal): Promise<void> {
    const seen = this.#inDoubt;
    const head = await this.#guarded(() => writer.settle(optional(signal)));
    if (seen !== undefined && head?.kind === 'wal') this.#noteShipped(seen, head.blocks);
    this.#inDoubt = undefined;
  }

  #noteShipped(seen: SeenCommits, blocks: Parameters<BlockChanges['noteShipped']>[0]): void {
    this.#inDoubt = undefined;
    this.#changes?.noteShipped(blocks);
    this.#records++;
    this.#lastError = null;
    this.lineage.noteLog(this.#writer?.last ?? 0);
    if (this.#tail !== undefined) this.shipped.advance({ iteration: this.#tail.iteration, offset: seen.to });
  }

  /** Appends a record that is no commit. */
  async #append(entry: Parameters<LogWriter['append']>[1], signal?: AbortSignal): Promise<void> {
    const writer = this.#writer;
    if (writer === undefined) return;
    if (writer.isInDoubt) await this.#settle(writer, signal);
    await this.#guarded(() => writer.append(writer.slot(), entry, undefined, optional(signal)));
    this.#records++;
    this.lineage.noteLog(writer.last);
  }

  /** A backup was committed: it is the base of its iteration, where that has none yet. */
  async #baseTaken(manifest: Manifest): Promise<void> {
    if (this.#state !== 'awaiting-base' && this.#state !== 'shipping') return;
    const { iteration, offset } = manifest.position;
    this.shipped.advance({ iteration, offset });
    if (this.#state === 'awaiting-base' && iteration === this.#tail?.iteration) this.#rest(manifest, 0);
    try {
      await this.#exclusively(() =>
        this.#append({ kind: 'backup', backup: manifest.name, position: manifest.position, gap: this.#gap }),
      );
      this.#gap = null;
    } catch (error) {
      this.noteFailure(error);
      this.#logger.warn(`the log does not tell of ${manifest.name}: ${messageOf(error)}`);
    }
  }

  /** Ships commits of this iteration from now on. */
  #rest(base: Manifest, offset: number): void {
    const blocks = new BaseBackup(base, this.repository);
    const known = async (first: number, count: number): Promise<(string | undefined)[]> =>
      (await blocks.frames(first, count)).map((frame) => frame?.sha256);
    const compression = this.backupRules.compress ? 'zstd' : 'none';
    this.#changes = new BlockChanges(this.database.files, this.pool, compression, known);
    this.#base = base.name;
    this.#state = 'shipping';
    const { iteration } = base.position;
    this.shipped.advance({ iteration, offset: Math.max(offset, base.position.offset) });
  }

  /**
   * Called with every write held off, before a checkpoint folds the log: what is in it must be in the store first.
   *
   * @returns false where the checkpoint has to wait
   */
  async #prepareFold(): Promise<boolean> {
    if (this.#state === 'disconnected') return (this.database.files.wal()?.size ?? 0) > MOST_UNSHIPPED;
    if (this.#state !== 'shipping') return true;
    this.look();
    try {
      await this.ship(AbortSignal.timeout(FOLD_MS));
    } catch (error) {
      this.#logger.warn(`the log is not folded before it is shipped: ${messageOf(error)}`);
    }
    const waiting = this.#inDoubt === undefined ? (this.#tail?.waiting ?? 0) : MOST_UNSHIPPED;
    return this.#state !== 'shipping' || waiting === 0 || (this.database.files.wal()?.size ?? 0) > MOST_UNSHIPPED;
  }

  /** A checkpoint of ours is done: a new iteration begins, with a base of its own. */
  #folded(): void {
    if (this.#tail === undefined) return;
    const { iteration } = this.database.files.header();
    if (iteration === this.#tail.iteration) return;
    const isShipped = this.#state === 'shipping' && this.#tail.waiting === 0 && this.#inDoubt === undefined;
    if (!isShipped && this.#tail.position > 0) this.#gap ??= 'a checkpoint came before everything was shipped';
    this.#inDoubt = undefined;
    this.#follow(iteration, 0);
    if (this.#state === 'shipping') this.#state = 'awaiting-base';
  }

  #interrupt(why: string): void {
    this.#logger.warn(`${why}: a new base is taken`);
    this.#gap = why;
    this.#follow(this.database.files.header().iteration, 0);
    this.#inDoubt = undefined;
    this.#state = 'awaiting-base';
  }

  #follow(iteration: number, from: number): void {
    this.#tail?.close();
    this.#changes = undefined;
    this.#tail = new WalTail(this.database.files, iteration, from);
  }

  async #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  /** Where another writer is found, nothing is written any more. */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isEiderError(error, 'REPLICATION_FENCED')) await this.#fence(error);
      throw error;
    }
  }

  async #fence(error: EiderError): Promise<void> {
    this.#state = 'fenced';
    this.#logger.error(error.message);
    this.shipped.fail(error);
    await this.database.writeGate.close(FENCED);
    await this.lineage.fork();
  }
}

function optional(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
