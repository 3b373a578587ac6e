import { Inject, Injectable, Logger } from '../runtime/injection.js';
import { restoreConfig, type RestoreConfig } from '../config/restore.config.js';
import { DatabaseService } from '../database/database.service.js';
import { EiderError } from '../errors/eider-error.js';
import { Lineage } from '../lineage/lineage.js';
import { Repository } from '../repository/repository.js';
import { decideStart, type StartDecision } from './start-decision.js';
import { lookRemote } from './start-facts.js';

/** Decides what a start could not, because the store did not answer: before anything is shipped. */
@Injectable()
export class LateDecision {
  readonly #logger = new Logger('Start');
  #settled: StartDecision | undefined;
  #conflict: string | undefined;

  constructor(
    @Inject(restoreConfig.KEY) private readonly policy: RestoreConfig,
    private readonly database: DatabaseService,
    private readonly repository: Repository,
    private readonly lineage: Lineage,
  ) {}

  /** Why nothing is shipped: the database in use and the repository hold different histories. */
  get conflict(): string | undefined {
    return this.#conflict;
  }

  /**
   * Resolves when the database in use may be backed up to the repository.
   *
   * @throws EiderError RESTORE_CONFLICT while the repository holds something newer: the operator chooses by a restart
   *   with R2_RESTORE_ON_CONFLICT, or by restoring; STORE_* while it still does not answer
   */
  async settle(first: StartDecision): Promise<void> {
    if (first.undecided !== true || this.#settled !== undefined) return;
    const { facts } = await lookRemote(this.repository);
    const decision = decideStart(
      {
        kind: 'database',
        identifier: this.database.files.header().identifier,
        position: await this.database.position(),
        // A database that this start created empty never counts as newer than what the repository holds.
        modifiedAt: first.action === 'create' ? new Date(0) : new Date(),
        state: this.lineage.state,
        equalsNewest: false,
      },
      facts,
      // The database is in use: it is never replaced without being asked.
      { ...this.policy, onConflict: 'fail' },
    );
    if (decision.undecided === true) throw new EiderError('STORE_UNAVAILABLE', `${decision.reason}.`);
    if (decision.action !== 'keep') {
      this.#conflict = decision.reason;
      throw new EiderError('RESTORE_CONFLICT', `The store answers again, but ${decision.reason}.`);
    }
    this.#conflict = undefined;
    this.#settled = decision;
    this.#logger.log(`the store answers again: keep (${decision.row}): ${decision.reason}`);
  }
}
