import { Inject, Injectable, Logger } from '@nestjs/common';
import { BlockPool } from '../block-pool/block-pool.js';
import { restoreConfig, type RestoreConfig } from '../config/restore.config.js';
import { EiderError } from '../errors/eider-error.js';
import { newLineage } from '../lineage/lineage.js';
import { readState, writeState } from '../lineage/state-file.js';
import type { Manifest } from '../repository/manifest.js';
import { Repository } from '../repository/repository.js';
import { removeWorkingCopies } from '../database/database-files.js';
import { type RestoreReport, RestoreService } from './restore.service.js';
import { decideStart, type LocalFacts, type StartDecision } from './start-decision.js';
import { lookLocal, lookRemote } from './start-facts.js';
import { recoverSwap } from '../database/swap.js';

/** What a start decided and did. */
export interface StartOutcome {
  readonly decision: StartDecision;
  readonly restored: RestoreReport | undefined;
  readonly newest: Manifest | undefined;
}

/** Compares the local file with the repository and brings it up to date, before the database is opened. */
@Injectable()
export class RestoreAtStart {
  readonly #logger = new Logger('Start');

  constructor(
    @Inject(restoreConfig.KEY) private readonly policy: RestoreConfig,
    private readonly restores: RestoreService,
    private readonly repository: Repository,
    private readonly pool: BlockPool,
  ) {}

  /**
   * Runs the decision table.
   *
   * @throws EiderError START_REFUSED_STORE_UNREACHABLE, RESTORE_CONFLICT, DATABASE_*, STORE_*, REPOSITORY_*
   */
  async run(): Promise<StartOutcome> {
    const path = this.restores.database;
    if (await recoverSwap(path))
      this.#logger.warn('a restore was interrupted; the database before it is in place again');
    await removeWorkingCopies(path);
    const remote = await lookRemote(this.repository);
    const local = await lookLocal(path, remote.newest, this.repository, this.pool);
    const decision = decideStart(local, remote.facts, this.policy);
    this.#logger.log(`${decision.action} (${decision.row}): ${decision.reason}`);
    const restored = await this.#act(decision, local, remote.newest);
    return { decision, restored, newest: remote.newest };
  }

  async #act(
    decision: StartDecision,
    local: LocalFacts,
    newest: Manifest | undefined,
  ): Promise<RestoreReport | undefined> {
    if (decision.action === 'refuse') throw refusal(decision, local);
    if (decision.action === 'restore' && decision.backup !== undefined) {
      const found = await this.restores.find({ backup: decision.backup });
      return this.restores.offline(found, { quarantine: decision.quarantine === true });
    }
    if (local.kind === 'database') await this.#settle(decision, local.identifier, newest);
    return undefined;
  }

  /** Records in the state file what the decision says of a local file that is kept. */
  async #settle(decision: StartDecision, identifier: string, newest: Manifest | undefined): Promise<void> {
    const path = this.restores.database;
    if (newest !== undefined && decision.adopts !== undefined) {
      const { position, lineageParent, epoch, log, name } = newest;
      const state = {
        ...newLineage(identifier),
        lineage: position.lineage,
        lineageParent,
        epoch,
        log,
        head: name,
        saved: position,
      };
      await writeState(path, state);
    }
    if (decision.supersedes !== undefined) {
      const known = await readState(path);
      const parent = known?.identifier === identifier ? known.saved : null;
      await writeState(path, { ...newLineage(identifier), lineageParent: parent, head: decision.supersedes });
    }
  }
}

function refusal(decision: StartDecision, local: LocalFacts): EiderError {
  switch (decision.row) {
    case 'diverged':
      return new EiderError('RESTORE_CONFLICT', `${decision.reason}.`);
    case 'local-unreadable':
      return new EiderError('DATABASE_NOT_DUCKDB', `${local.kind === 'unreadable' ? local.why : decision.reason}`);
    default:
      return new EiderError('START_REFUSED_STORE_UNREACHABLE', `${decision.reason}.`);
  }
}
