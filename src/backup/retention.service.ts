import { Inject, Injectable, Logger } from '@nestjs/common';
import { backupConfig, type BackupConfig } from '../config/backup.config.js';
import { EiderError, isEiderError, messageOf } from '../errors/eider-error.js';
import { backupNameOf, EXTENTS_PREFIX } from '../repository/keys.js';
import type { Listing } from '../repository/listing.js';
import { type Manifest, objectsOf } from '../repository/manifest.js';
import { Repository } from '../repository/repository.js';
import { Clock } from '../runtime/clock.js';
import { ownBackup } from './own-backup.js';
import { RepositorySweep } from './repository-sweep.js';
import { type DatedObject, planRetention, type RetentionCandidate, type RetentionPlan } from './retention-plan.js';

/** Longer than any backup takes. */
const GRACE_MS = 24 * 3_600_000;
const DAY_MS = 86_400_000;

/** What a run did. */
export interface RetentionReport extends Pick<RetentionPlan, 'backups' | 'remains' | 'extents'> {
  readonly dryRun: boolean;
  readonly removed: readonly string[];
  /** Objects that the credentials may not delete: reported, not fatal. */
  readonly denied: readonly string[];
}

/** Removes backups by age, leaves one for each day of older ones, and removes what unfinished ones left. */
@Injectable()
export class RetentionService {
  readonly #logger = new Logger('Retention');
  #turn: Promise<unknown> = Promise.resolve();
  #lastReport: RetentionReport | undefined;
  #lastError: string | null = null;

  constructor(
    @Inject(backupConfig.KEY) private readonly config: BackupConfig,
    private readonly repository: Repository,
    private readonly clock: Clock,
  ) {}

  get lastReport(): RetentionReport | undefined {
    return this.#lastReport;
  }

  /** Why the last run removed nothing; null where it went well. */
  get lastError(): string | null {
    return this.#lastError;
  }

  /**
   * Works out what goes and, unless it is a dry run, removes it. Runs follow one another.
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
   * Removes one backup by its name or the name of its pack, unless it is the newest or pinned. One whose manifest is
   * damaged can be removed, too.
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
    const listing = await this.repository.list();
    const plan = await this.#plan(listing, signal);
    const { backups, remains, extents } = plan;
    if (dryRun) return { backups, remains, extents, dryRun, removed: [], denied: [] };
    const sweep = new RepositorySweep(this.repository, listing.objects);
    const retired = await this.#retire(
      sweep,
      backups.flatMap(({ name, keep }) => (keep ? [] : [name])),
      plan,
      signal,
    );
    for (const name of [...retired.names, ...remains]) {
      signal?.throwIfAborted();
      await sweep.remains(name, retired.needed);
    }
    for (const key of extents.filter((extent) => !retired.needed.has(extent))) {
      signal?.throwIfAborted();
      await sweep.object(key);
    }
    const report = { backups, remains, extents, dryRun, removed: sweep.removed, denied: sweep.denied };
    if (sweep.removed.length > 0) this.#logger.log(`removed ${sweep.removed.length} objects`);
    if (sweep.denied.length > 0) {
      this.#logger.warn(
        `the credentials may not delete ${sweep.denied.length} objects, such as ${sweep.denied[0] ?? ''}`,
      );
    }
    this.#lastReport = report;
    return report;
  }

  /**
   * Removes manifests, and only then looks which packs others rest on.
   *
   * A backup reserves its name, with that of its base, then looks whether the base is still there, and ends its reservation
   * when its manifest is. So either it sees that the base is gone, or its reservation or its manifest is seen here.
   */
  async #retire(
    sweep: RepositorySweep,
    names: readonly string[],
    { needed }: Pick<RetentionPlan, 'needed'>,
    signal?: AbortSignal,
  ): Promise<{ names: readonly string[]; needed: ReadonlySet<string> }> {
    const known = new Map<string, Manifest>();
    const retired: string[] = [];
    for (const name of names) {
      signal?.throwIfAborted();
      const manifest = await this.#manifestToRemove(name);
      if (manifest !== undefined) known.set(name, manifest);
      if (await sweep.retire(name)) retired.push(name);
    }
    if (retired.length === 0) return { names: retired, needed };
    const now = await this.repository.list();
    const { objects } = await this.repository.inUse(now.pending, this.#graceStart(), known);
    const left = new Set([...needed, ...objects]);
    for (const { name } of now.backups) for (const key of await this.#objectsOf(name)) left.add(key);
    return { names: retired, needed: left };
  }

  /** What a listed backup reads; nothing where it has been removed since. */
  async #objectsOf(name: string): Promise<readonly string[]> {
    try {
      return objectsOf(await this.repository.manifest(name));
    } catch (error) {
      if (isEiderError(error, 'BACKUP_NOT_FOUND')) return [];
      throw error;
    }
  }

  /**
   * Reservations from before are of backups that were cut off. By the clock of this machine, which is that of the folder, and
   * which a bucket refuses when it is off by more than 15 minutes.
   */
  #graceStart(): Date {
    return new Date(this.clock.now().getTime() - GRACE_MS);
  }

  async #plan(listing: Listing, signal?: AbortSignal): Promise<RetentionPlan> {
    const notes = await this.repository.notes();
    const sizes = new Map([...listing.objects].map(([key, { size }]) => [key, size]));
    const extents: DatedObject[] = [];
    for await (const { key, modifiedAt, size } of this.repository.store.list(EXTENTS_PREFIX)) {
      extents.push({ name: key, modifiedAt });
      sizes.set(key, size);
    }
    const { bases, objects } = await this.repository.inUse(listing.pending, this.#graceStart());
    const candidates: RetentionCandidate[] = [];
    for (const { name } of listing.backups) {
      signal?.throwIfAborted();
      const manifest = await this.repository.manifest(name);
      const { pinned, label } = notes.get(name) ?? manifest;
      candidates.push({ manifest, pinned, label, incomplete: !isComplete(manifest, sizes), inUse: bases.has(name) });
    }
    const pending = [...listing.pending].map(([name, modifiedAt]) => ({ name, modifiedAt }));
    const keepMs = this.config.retentionDays === 0 ? undefined : this.config.retentionDays * DAY_MS;
    const rules = { keepMs, keepAllMs: this.config.keepAllMs, graceMs: GRACE_MS };
    const plan = planRetention(candidates, extents, pending, rules, this.clock.now());
    return { ...plan, needed: new Set([...plan.needed, ...objects]) };
  }

  async #removeOne(text: string): Promise<void> {
    await this.repository.claim();
    const listing = await this.repository.list();
    const manifest = await this.#manifestToRemove(text);
    const name = manifest?.name ?? backupNameOf(text);
    const others = listing.backups.filter((backup) => backup.name !== name);
    const reason =
      manifest === undefined ? await this.#whyDamagedStays(name, others) : await this.#whyStays(name, listing);
    if (reason !== undefined) throw new EiderError('BACKUP_IN_USE', `${name} was not deleted: it is ${reason}.`);
    const needed = new Set<string>();
    for (const other of others) {
      for (const key of objectsOf(await this.repository.manifest(other.name))) needed.add(key);
    }
    const sweep = new RepositorySweep(this.repository, listing.objects);
    const retired = await this.#retire(sweep, [name], { needed });
    for (const gone of retired.names) await sweep.remains(gone, retired.needed);
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

  async #whyStays(name: string, listing: Listing): Promise<string | undefined> {
    const { backups } = await this.#plan(listing);
    const reason = backups.find((decision) => decision.name === name)?.reason;
    if (reason === 'newest') return 'the newest backup';
    if (reason === 'in-use') return 'the one that a backup under way builds on';
    return reason === 'pinned' ? reason : undefined;
  }

  /** Its pack may still be whole: where nothing else is left, it is not thrown away. */
  async #whyDamagedStays(name: string, others: Listing['backups']): Promise<string | undefined> {
    if (others.length === 0) return 'the only backup';
    return (await this.repository.notes()).get(name)?.pinned === true ? 'pinned' : undefined;
  }
}

/** Whether every object that restoring a backup reads is there, with the size that its manifest says. */
function isComplete({ packs, extents, wal }: Manifest, sizes: ReadonlyMap<string, number>): boolean {
  return (
    packs.every(({ key, length }) => sizes.get(key) === length) &&
    extents.every(({ key }) => sizes.has(key)) &&
    (wal === null || sizes.get(wal.key) === wal.stored)
  );
}
