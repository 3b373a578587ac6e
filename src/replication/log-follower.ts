import { BaseBackup } from '../backup/base-backup.js';
import type { DatabaseService } from '../database/database.service.js';
import { type EiderError, isEiderError } from '../errors/eider-error.js';
import type { Lineage } from '../lineage/lineage.js';
import type { LogHead } from '../repository/log-record.js';
import type { Manifest } from '../repository/manifest.js';
import type { Repository } from '../repository/repository.js';
import { Logger } from '../runtime/injection.js';
import { BaseRemarks } from './base-remarks.js';
import { IterationShipper, type ShippingParts } from './iteration-shipper.js';
import type { LogTurn } from './log-turn.js';
import type { FollowingState } from './replication-status.js';
import type { ResumePoint } from './resume-point.js';
import type { ShippedPosition } from './shipped-position.js';

/** What following the log takes. */
export interface FollowerParts {
  readonly database: Pick<DatabaseService, 'files'>;
  readonly repository: Repository;
  readonly lineage: Lineage;
  readonly shipping: Pick<ShippingParts, 'pool' | 'compression'>;
  readonly shipped: ShippedPosition;
}

/** Follows the log of the open database from one checkpoint to the next, and knows which base its commits rest on. */
export class LogFollower {
  readonly #logger = new Logger('Replication');
  /** What the record of the next base tells. */
  readonly remarks = new BaseRemarks();
  #state: FollowingState = 'awaiting-base';
  #shipper: IterationShipper;

  constructor(
    private readonly parts: FollowerParts,
    resume: ResumePoint,
  ) {
    const { iteration } = parts.database.files.header();
    this.#shipper = this.#shipperOf(iteration, resume.kind === 'continue' ? resume.from : 0);
    if (resume.kind === 'continue') this.#rest(resume.base, resume.from);
    else if (resume.kind === 'base' && resume.isKnown) {
      this.remarks.noteGap('commits were made while none were shipped');
    } else if (resume.kind === 'diverged') {
      this.#logger.warn(`a new lineage has begun: ${resume.why}`);
      this.remarks.noteGap(resume.why);
    }
  }

  get state(): FollowingState {
    return this.#state;
  }

  /** Bytes that were seen and are not in the store, and since when in ms since 1970. */
  get waiting(): IterationShipper['waiting'] {
    return this.#shipper.waiting;
  }

  /** Whether every commit that was seen is in the store, or none can be shipped. */
  get isShipped(): boolean {
    const { iteration, position } = this.#shipper;
    const { current } = this.parts.shipped;
    if (this.#state !== 'shipping' || position === 0) return true;
    return current?.iteration === iteration && current.offset >= position;
  }

  /** Looks for new commits. Whether there was something new. @param now - ms since 1970 */
  look(now: number): boolean {
    const finding = this.#shipper.look(now);
    if (finding === 'taken-back') this.#takeBack();
    if (finding === 'replaced') this.#replaced();
    return finding !== 'idle';
  }

  /** Ships what was seen. Throws as `LogTurn.write`, and DATABASE_NOT_SYNCED. */
  async ship(turn: LogTurn, signal: AbortSignal): Promise<void> {
    const shipper = this.#shipper;
    try {
      // One record has its bounds. While it is on its way another iteration may begin.
      for (let head: LogHead | undefined; shipper === this.#shipper;) {
        head = await turn.write((writer) => shipper.ship(writer, signal), signal);
        if (head === undefined) break;
      }
    } catch (error) {
      if (isEiderError(error, 'DATABASE_NOT_SYNCED') && shipper === this.#shipper) this.#notSynced(error);
      throw error;
    }
  }

  /** A record is in the store. */
  note(head: LogHead): void {
    if (head.kind !== 'wal' || !this.#shipper.note(head)) return;
    this.parts.shipped.advance({ iteration: head.iteration, offset: head.to });
  }

  /** A backup is in the store, and the log tells of it: it is the base of its iteration, where that has none yet. */
  baseTaken(manifest: Manifest): void {
    const { iteration, offset } = manifest.position;
    if (iteration !== this.#shipper.iteration) return;
    // Only now: whoever believes that a commit is in the store relies on what this record says of those before.
    this.parts.shipped.advance({ iteration, offset });
    if (this.#state === 'awaiting-base') this.#rest(manifest, 0);
  }

  /** A checkpoint of ours is done: a new iteration begins, with a base of its own. */
  folded(): void {
    const { iteration } = this.parts.database.files.header();
    if (iteration === this.#shipper.iteration) return;
    const wasLost = !this.isShipped || (this.#state === 'awaiting-base' && this.#shipper.position > 0);
    if (wasLost) this.remarks.noteGap('a checkpoint came before everything was shipped');
    this.#beginAt(iteration);
  }

  close(): void {
    this.#shipper.close();
  }

  /** Ships commits of this iteration from now on. */
  #rest(base: Manifest, offset: number): void {
    this.#shipper.restOn(new BaseBackup(base, this.parts.repository));
    this.#state = 'shipping';
    const { iteration } = base.position;
    this.parts.shipped.advance({ iteration, offset: Math.max(offset, base.position.offset) });
  }

  /** The log is shipped from its beginning again, resting on a new base: nothing is missing then. */
  #takeBack(): void {
    this.#logger.warn('a commit was taken back by DuckDB after it was seen: a new base is taken');
    const { iteration, commitBefore } = this.#shipper;
    this.remarks.noteTakenBack(this.parts.lineage.at({ iteration, offset: commitBefore }));
    // The next commits stand where it stood: none of them is in the store yet.
    this.parts.shipped.reset();
    this.#beginAgain();
  }

  /** Whether a commit is there is not known before a checkpoint: it is in the base that follows, or nowhere. */
  #notSynced(error: EiderError): void {
    this.#logger.error(error.message);
    this.remarks.noteGap('the disk did not take the log');
    this.#beginAgain();
  }

  /** Everything that was in the log has been seen, so a checkpoint of ours that is just ending leaves nothing behind. */
  #replaced(): void {
    const wasSeen = this.#state === 'shipping' && this.#shipper.isFollowing;
    if (!wasSeen || this.#shipper.waiting.bytes > 0) {
      const why = 'the log was folded by a checkpoint that Eider did not make';
      this.#logger.warn(`${why}: a new base is taken`);
      this.remarks.noteGap(why);
    }
    this.#beginAgain();
  }

  #beginAgain(): void {
    this.#beginAt(this.parts.database.files.header().iteration);
  }

  #beginAt(iteration: number): void {
    this.#shipper.close();
    this.#shipper = this.#shipperOf(iteration, 0);
    this.#state = 'awaiting-base';
  }

  #shipperOf(iteration: number, from: number): IterationShipper {
    const { database, repository, shipping } = this.parts;
    const { store, keyring } = repository;
    return new IterationShipper({ ...shipping, files: database.files, store, keyring }, iteration, from);
  }
}
