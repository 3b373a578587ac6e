import { Inject, Injectable, Logger } from '../runtime/injection.js';
import { backupConfig, type BackupConfig } from '../config/backup.config.js';
import { replicationConfig, type ReplicationConfig } from '../config/replication.config.js';
import { EiderError, isEiderError, messageOf } from '../errors/eider-error.js';
import { backupNameOf, EXTENTS_PREFIX, noteKey } from '../repository/keys.js';
import type { Listing } from '../repository/listing.js';
import type { Manifest } from '../repository/manifest.js';
import { Repository } from '../repository/repository.js';
import { Clock } from '../runtime/clock.js';
import { ownBackup } from './own-backup.js';
import { RepositorySweep } from './repository-sweep.js';
import { candidatesOf } from './retention-candidates.js';
import { type Inventory, InventoryReader } from './retention-inventory.js';
import { decideObjects, endsWithBackup, type ObjectDecision, unmarkedNames } from './retention-objects.js';
import { decideBackups, type RetentionDecision, type RetentionReason } from './retention-plan.js';

/**
 * What belongs to a backup that may be under way, and what a removed one needs, stays so long: longer than any backup and any
 * restore takes.
 */
export const GRACE_MS = 24 * 3_600_000;
const DAY_MS = 86_400_000;

/** What a run would do, and why. */
export interface RetentionPlan {
  readonly backups: readonly RetentionDecision[];
  readonly objects: readonly ObjectDecision[];
}

/** What a run did. */
export interface RetentionReport {
  readonly backups: readonly RetentionDecision[];
  /** Names of backups that were never completed, or were removed a day ago, whose objects go. */
  readonly remains: readonly string[];
  /** Block tables that no backup needs. */
  readonly extents: readonly string[];
  readonly dryRun: boolean;
  /** In a dry run, every object of the repository: whether it stays, why, and for which backup. */
  readonly objects?: readonly ObjectDecision[];
  readonly removed: readonly string[];
  /** Objects that the credentials may not delete: reported, not fatal. */
  readonly denied: readonly string[];
}

/** Why one backup cannot be removed, as the end of a sentence. */
const STAYS: Partial<Record<RetentionReason, string>> = {
  newest: 'the newest backup',
  'in-use': 'the one that a backup under way builds on',
  held: 'being read by a restore or a check, here or on another host',
  proven: 'the last one that was proven by a restore',
  pinned: 'pinned',
};

/** Removes backups by age, leaves one for each day of older ones, and removes what unfinished ones left. */
@Injectable()
export class RetentionService {
  readonly #logger = new Logger('Retention');
  #turn: Promise<unknown> = Promise.resolve();
  #lastReport: RetentionReport | undefined;
  #lastError: string | null = null;
  readonly #reader: InventoryReader;

  constructor(
    @Inject(backupConfig.KEY) private readonly config: BackupConfig,
    @Inject(replicationConfig.KEY) private readonly shipping: Pick<ReplicationConfig, 'windowMs'>,
    private readonly repository: Repository,
    private readonly clock: Clock,
  ) {
    this.#reader = new InventoryReader(repository);
  }

  get lastReport(): RetentionReport | undefined {
    return this.#lastReport;
  }

  /** Why the last run removed nothing; null where it went well. */
  get lastError(): string | null {
    return this.#lastError;
  }

  /**
   * Works out what goes and, unless it is a dry run, removes it, in two phases: the manifest of a backup goes at once, what
   * only it needs a day later, since a restore may have begun to read it. Runs follow one another.
   *
   * Everything is read before anything is deleted: when one request fails, nothing is. On abort it ends after the
   * backup that is being removed.
   */
  async run(options: { readonly dryRun?: boolean; readonly signal?: AbortSignal } = {}): Promise<RetentionReport> {
    const result = this.#turn.then(() => this.#run(options.dryRun ?? false, options.signal));
    this.#turn = result.then(
      () => (this.#lastError = null),
      (error: unknown) => (this.#lastError = messageOf(error)),
    );
    return result;
  }

  /**
   * Removes one backup by its name or the name of its pack, unless it is the newest, pinned, in use or the last proven one. A
   * run a day later frees its room. One whose manifest is damaged can be removed, too.
   *
   * @throws EiderError BACKUP_NOT_FOUND, BACKUP_IN_USE, STORE_DENIED; REQUEST_INVALID for a file without a manifest
   */
  async remove(text: string): Promise<void> {
    const result = this.#turn.then(() => this.#removeOne(text));
    this.#turn = result.catch(() => {});
    await result;
  }

  async #run(dryRun: boolean, signal: AbortSignal | undefined): Promise<RetentionReport> {
    await this.repository.claim();
    const { inventory, plan } = await this.#plan(dryRun, signal);
    const { backups, objects } = plan;
    const going = objects.filter(({ action }) => action === 'delete');
    const remains = going.flatMap(({ reason, for: name }) =>
      reason === 'remains' && name !== undefined ? [name] : [],
    );
    const extents = going.map(({ key }) => key).filter((key) => key.startsWith(EXTENTS_PREFIX));
    const about = { backups, remains: [...new Set(remains)], extents, dryRun };
    if (dryRun) return { ...about, objects, removed: [], denied: [] };
    const sweep = new RepositorySweep(this.repository, signal);
    for (const name of unmarkedNames(inventory, objects)) await this.repository.reservations.markEnded(name, []);
    const retiring = new Set(backups.filter(({ keep }) => !keep).map(({ name }) => name));
    await sweep.retireAll(
      inventory.manifests.filter(({ name }) => retiring.has(name)),
      inventory.notes,
    );
    await sweep.clear(going.filter((object) => !endsWithBackup(object)));
    const report = { ...about, removed: sweep.removed, denied: sweep.denied };
    if (sweep.removed.length > 0) this.#logger.log(`removed ${sweep.removed.length} objects`);
    if (sweep.denied.length > 0) {
      this.#logger.warn(
        `the credentials may not delete ${sweep.denied.length} objects, such as ${sweep.denied[0] ?? ''}`,
      );
    }
    this.#lastReport = report;
    return report;
  }

  /** Everything is read before anything is decided. */
  async #plan(
    everything: boolean,
    signal?: AbortSignal,
  ): Promise<{ readonly inventory: Inventory; readonly plan: RetentionPlan }> {
    // By the clock of this machine, which is that of the folder, and which a bucket refuses when it is off by more than
    // 15 minutes.
    const now = this.clock.now();
    const graceStart = new Date(now.getTime() - GRACE_MS);
    // Somebody may be restoring one of the oldest moments.
    const windowMs = this.shipping.windowMs + GRACE_MS;
    const inventory = await this.#reader.read({ graceStart, now, windowMs, everything, signal });
    const keepMs = this.config.retentionDays === 0 ? undefined : this.config.retentionDays * DAY_MS;
    const backups = decideBackups(
      candidatesOf(inventory, graceStart),
      { keepMs, keepAllMs: this.config.keepAllMs },
      now,
    );
    return { inventory, plan: { backups, objects: decideObjects(inventory, backups, graceStart, now) } };
  }

  async #removeOne(text: string): Promise<void> {
    await this.repository.claim();
    const listing = await this.repository.list();
    const manifest = await this.#manifestToRemove(text);
    const name = manifest?.name ?? backupNameOf(text);
    const others = listing.backups.filter((backup) => backup.name !== name);
    const reason = manifest === undefined ? await this.#whyDamagedStays(name, others) : await this.#whyStays(name);
    if (reason !== undefined) throw new EiderError('BACKUP_IN_USE', `${name} was not deleted: it is ${reason}.`);
    const sweep = new RepositorySweep(this.repository);
    if (await sweep.retire(name, manifest)) await sweep.object(noteKey(name));
    if (sweep.denied.length > 0) {
      throw new EiderError('STORE_DENIED', `The credentials may not delete ${sweep.denied.join(', ')}.`);
    }
  }

  /** Undefined for a backup whose manifest is damaged. */
  async #manifestToRemove(text: string): Promise<Manifest | undefined> {
    try {
      return await ownBackup(this.repository, text, ': remove it with the tool that put it there.');
    } catch (error) {
      if (isEiderError(error, 'MANIFEST_CORRUPT')) return undefined;
      throw error;
    }
  }

  async #whyStays(name: string): Promise<string | undefined> {
    const { backups } = (await this.#plan(false)).plan;
    const reason = backups.find((decision) => decision.name === name)?.reason;
    return reason === undefined ? undefined : STAYS[reason];
  }

  /** Its pack may still be whole: where nothing else is left, it is not thrown away. */
  async #whyDamagedStays(name: string, others: Listing['backups']): Promise<string | undefined> {
    if (others.length === 0) return 'the only backup';
    return (await this.repository.notes.of(name))?.pinned === true ? 'pinned' : undefined;
  }
}
