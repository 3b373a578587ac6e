import { Inject, Injectable, Logger } from '../runtime/injection.js';
import { BlockPool } from '../block-pool/block-pool.js';
import { restoreConfig, type RestoreConfig } from '../config/restore.config.js';
import { EiderError } from '../errors/eider-error.js';
import { newLineage } from '../lineage/lineage.js';
import { readState, writeState } from '../lineage/state-file.js';
import type { Manifest } from '../repository/manifest.js';
import { type FoundBackup, Repository } from '../repository/repository.js';
import { OfflineRestore } from './offline-restore.js';
import type { RestoreReport } from './restore-report.js';
import { RestoreService } from './restore.service.js';
import { decideStart, type LocalFacts, type StartDecision } from './start-decision.js';
import { lookLocal, lookRemote } from './start-facts.js';
import { inspectDatabaseFile } from '../database/inspect.js';
import { recoverSwap } from '../database/swap.js';

/** What a start decided and did. */
export interface StartOutcome {
  readonly decision: StartDecision;
  readonly restored: RestoreReport | undefined;
  readonly newest: Manifest | undefined;
}

interface Examination {
  readonly decision: StartDecision;
  readonly local: LocalFacts;
  readonly newest: Manifest | undefined;
}

/** Compares the local file with the repository and brings it up to date, before the database is opened. */
@Injectable()
export class RestoreAtStart {
  readonly #logger = new Logger('Start');

  constructor(
    @Inject(restoreConfig.KEY) private readonly policy: RestoreConfig,
    private readonly restores: RestoreService,
    private readonly offline: OfflineRestore,
    private readonly repository: Repository,
    private readonly pool: BlockPool,
  ) {}

  /**
   * Runs the decision table.
   *
   * @throws EiderError START_REFUSED_STORE_UNREACHABLE, RESTORE_CONFLICT, ENCRYPTION_KEY_MISSING, DATABASE_*, STORE_*, REPOSITORY_*
   */
  async run(): Promise<StartOutcome> {
    const path = this.restores.database;
    await refuseInUse(path);
    if (await recoverSwap(path))
      this.#logger.warn('a restore was interrupted; the database before it is in place again');
    const { decision, local, newest } = await this.#examine(this.policy);
    this.#logger.log(`${decision.action} (${decision.row}): ${decision.reason}`);
    const restored = await this.#act(decision, local, newest);
    // What an interrupted restore has left is of no use where there is nothing to restore any more.
    if (decision.undecided !== true) await this.restores.removeLeftovers();
    return { decision, restored, newest };
  }

  /**
   * For work on the local database as it is, while the service is stopped: refuses where a start would restore or refuse.
   *
   * @throws EiderError RESTORE_CONFLICT, STORE_UNAVAILABLE; DATABASE_PATH_INVALID where there is no database
   */
  async keepLocal(): Promise<void> {
    const path = this.restores.database;
    await refuseInUse(path);
    await recoverSwap(path);
    const { decision, local, newest } = await this.#examine({ ...this.policy, onConflict: 'fail' });
    if (decision.action === 'create' || local.kind === 'missing') {
      throw new EiderError('DATABASE_PATH_INVALID', `There is no database at ${path}.`, { details: { path } });
    }
    if (decision.undecided === true) throw new EiderError('STORE_UNAVAILABLE', `${decision.reason}.`);
    if (local.kind === 'unreadable') throw refusal({ ...decision, row: 'local-unreadable' }, local);
    if (decision.action !== 'keep') {
      throw new EiderError('RESTORE_CONFLICT', `A start would not keep the local database: ${decision.reason}.`);
    }
    await this.#settle(decision, local.identifier, newest);
  }

  /**
   * Restores a backup in the place of the local database, whatever its history, while the service is stopped. The
   * database that was there is kept beside it.
   *
   * @throws EiderError ENCRYPTION_KEY_MISSING, DATABASE_LOCKED and those of `OfflineRestore.restore`
   */
  async replaceLocal(found: FoundBackup): Promise<RestoreReport> {
    this.restores.requireKey(found);
    const path = this.restores.database;
    await refuseInUse(path);
    await recoverSwap(path);
    const local = await inspectDatabaseFile(path);
    return this.offline.restore(found, { quarantine: local.kind === 'unreadable' });
  }

  async #examine(policy: RestoreConfig): Promise<Examination> {
    const { facts, newest } = await lookRemote(this.repository);
    const local = await lookLocal(this.restores.database, newest, this.repository, this.pool);
    return { decision: decideStart(local, facts, policy), local, newest };
  }

  async #act(
    decision: StartDecision,
    local: LocalFacts,
    newest: Manifest | undefined,
  ): Promise<RestoreReport | undefined> {
    if (decision.action === 'refuse') throw refusal(decision, local);
    if (decision.action === 'restore' && decision.backup !== undefined) {
      // The newest backup stands for the newest point behind it.
      const isNewest = decision.backup === newest?.name;
      const found = await this.restores.find(isNewest ? { latest: true } : { backup: decision.backup });
      return this.offline.restore(found, { quarantine: decision.quarantine === true });
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
    } else if (newest !== undefined && decision.row === 'local-up-to-date') await this.#adoptHead(newest);
    if (decision.supersedes !== undefined) {
      const known = await readState(path);
      const parent = known?.identifier === identifier ? known.saved : null;
      await writeState(path, { ...newLineage(identifier), lineageParent: parent, head: decision.supersedes });
    }
  }

  /** A crash after a backup was committed left it unrecorded: the next writer's turn would not know it as its own. */
  async #adoptHead({ name, writer }: Manifest): Promise<void> {
    const path = this.restores.database;
    const known = await readState(path);
    if (known === undefined || known.head === name || known.writer !== writer) return;
    const { committing: _, ...state } = known;
    await writeState(path, { ...state, head: name });
  }
}

/**
 * Throws for a database that another process has open, before anything beside it is touched: its working copies and
 * swap journal belong to a restore of that process, which would lose its files.
 */
async function refuseInUse(path: string): Promise<void> {
  const local = await inspectDatabaseFile(path);
  if (local.kind === 'refused') throw local.error;
}

function refusal(decision: StartDecision, local: LocalFacts): EiderError {
  switch (decision.row) {
    case 'remote-damaged':
      return new EiderError('MANIFEST_CORRUPT', `${decision.reason}.`);
    case 'diverged':
      return new EiderError('RESTORE_CONFLICT', `${decision.reason}.`);
    case 'local-unreadable':
      return new EiderError('DATABASE_NOT_DUCKDB', `${local.kind === 'unreadable' ? local.why : decision.reason}`);
    default:
      return new EiderError('START_REFUSED_STORE_UNREACHABLE', `${decision.reason}.`);
  }
}
