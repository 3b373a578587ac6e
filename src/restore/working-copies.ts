import { Logger } from '../runtime/injection.js';
import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { BlockPool } from '../block-pool/block-pool.js';
import { exists, nearestFolder } from '../database/database-files.js';
import type { DatabaseService } from '../database/database.service.js';
import { EiderError } from '../errors/eider-error.js';
import type { Progress } from '../operations/operation.js';
import { ImageReader } from '../repository/image-reader.js';
import { LocalBlocks } from '../repository/local-blocks.js';
import type { Manifest } from '../repository/manifest.js';
import type { FoundBackup, Repository } from '../repository/repository.js';
import { makeFolder } from '../runtime/sync-folder.js';
import { type Fetched, type FetchedFile, ImageFetch } from './image-fetch.js';
import { isInterruption } from './interruption.js';
import { findPartial, keepPartial, newWorkingCopy, removeWorkingCopy, takePartial } from './leftovers.js';
import { type LocalSource, openForReading, openLocalSource } from './local-source.js';
import { cloneOf } from './reflink.js';
import type { LocalFindings, RestorePlan } from './restore-plan.js';

/**
 * What a working copy is for. A restore goes on where an interrupted one was, and uses the database file that is there. A
 * download uses that, too, but leaves nothing behind. A proof reads all of its bytes from the store.
 */
export type Purpose = 'restore' | 'download' | 'proof';

/** A restored database that is not in place yet. */
export interface WorkingCopy {
  readonly found: FoundBackup;
  readonly path: string;
  /** The database beside which it lies. */
  readonly target: string;
  readonly purpose: Purpose;
  readonly fetched: Fetched;
}

export interface CopyOptions {
  readonly target: string;
  readonly purpose: Purpose;
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
}

/** Told of a file that is fetched, before it counts. */
export type Check = (path: string, fetched: Fetched) => Promise<void>;

/** A file to fetch into, and what it may get its blocks from. */
interface Beginning {
  readonly path: string;
  readonly resumes: boolean;
  readonly local: LocalSource | undefined;
}

/** The files that backups are fetched into, beside the database that they may replace. */
export class WorkingCopies {
  readonly #logger = new Logger('Restore');
  readonly #fetch: ImageFetch;
  readonly #reader: ImageReader;

  constructor(
    private readonly repository: Repository,
    private readonly pool: BlockPool,
    private readonly database: DatabaseService,
  ) {
    this.#fetch = new ImageFetch(repository, pool);
    this.#reader = new ImageReader(repository, pool);
  }

  /** Bytes that are free for a restore beside `target`, and those that an interrupted one has written there already. */
  async room(target: string): Promise<{ readonly bytesFree: number; readonly occupied: number | undefined }> {
    const { bavail, bsize } = await statfs(await nearestFolder(target));
    return { bytesFree: bavail * bsize, occupied: (await findPartial(target))?.occupied };
  }

  /** Reads the files that a restore would get blocks from, and tells how many. Changes nothing. */
  async compare(manifest: Manifest, target: string, signal?: AbortSignal): Promise<LocalFindings> {
    const partial = await findPartial(target);
    const candidates = [
      partial === undefined ? undefined : await openForReading(partial.path),
      await openLocalSource(this.database),
    ];
    const sources = candidates.filter((source) => source !== undefined);
    try {
      const blocks = new LocalBlocks(this.pool, { sources: sources.map(({ descriptor }) => descriptor) });
      const { surplus, packs } = await this.#reader.needs(manifest, blocks, signal);
      const bytesToFetch = manifest.bytes.stored - blocks.stored + surplus;
      return { blocks: blocks.blocks, bytes: blocks.bytes, bytesToFetch, packs: packs.size };
    } finally {
      for (const source of sources) await source.close();
    }
  }

  /**
   * Fetches a backup into a new file and has it checked. On failure nothing is left but what the next restore can use.
   *
   * @throws EiderError BACKUP_DAMAGED, RESTORE_NO_SPACE, DATABASE_PATH_INVALID, STORE_*, and what `check` throws
   */
  async make(found: FoundBackup, options: CopyOptions, check: Check): Promise<WorkingCopy> {
    const { target, purpose, progress, signal } = options;
    await makeFolder(dirname(target));
    const { path, resumes, local } = await this.#begin(found, options);
    const copy = { found, path, target, purpose };
    try {
      progress.step('fetch');
      const { fetched, durable } = await this.#held(found, purpose, signal, () =>
        this.#fetch.fetch(found, path, { progress, signal, resumes, local }),
      );
      progress.step('check');
      await check(path, fetched).finally(() => durable);
      return { ...copy, fetched };
    } catch (error) {
      await this.abandon(copy, error);
      throw error;
    } finally {
      await local?.close();
    }
  }

  /** Retention keeps what is read meanwhile. Files without a manifest it never removes. */
  async #held(
    found: FoundBackup,
    purpose: Purpose,
    signal: AbortSignal | undefined,
    fetch: () => Promise<FetchedFile>,
  ): Promise<FetchedFile> {
    if (found.kind === 'foreign') return fetch();
    return this.repository.holds.during(found.manifest.name, purpose, fetch, signal);
  }

  /** Keeps or removes a working copy after a failure: what was fetched by an interrupted restore need not be fetched again. */
  async abandon({ found, path, target, purpose }: Omit<WorkingCopy, 'fetched'>, error: unknown): Promise<void> {
    // A file without hashes cannot be gone on with.
    const keeps = purpose === 'restore' && found.kind === 'eider' && isInterruption(error) && (await exists(path));
    const kept = keeps ? await keepPartial(target, path) : undefined;
    if (kept === undefined) await removeWorkingCopy(path);
    else
      this.#logger.warn(`the restore was interrupted; ${kept.path} keeps what it has, and the next one goes on there`);
  }

  async #begin(found: FoundBackup, { target, purpose }: CopyOptions): Promise<Beginning> {
    const fresh = { path: newWorkingCopy(target), resumes: false, local: undefined };
    if (found.kind === 'foreign' || purpose === 'proof') return fresh;
    const partial = purpose === 'restore' ? await takePartial(target) : undefined;
    const local = await openLocalSource(this.database);
    if (partial !== undefined) {
      const { size } = await stat(partial);
      this.#logger.log(`an interrupted restore has left ${size} bytes; what fits of them is not fetched again`);
      return { path: partial, resumes: true, local };
    }
    if (local === undefined || !(await cloneOf(local, fresh.path))) return { ...fresh, local };
    // It shares every block of the local file, which need not be looked at again.
    await local.close();
    return { ...fresh, resumes: true };
  }
}

/** Throws RESTORE_NO_SPACE where a plan needs more room than there is. */
export function refuseWithoutRoom({ backup, bytesNeeded, bytesFree }: RestorePlan, target: string): void {
  if (bytesFree >= bytesNeeded) return;
  throw new EiderError(
    'RESTORE_NO_SPACE',
    `Restoring ${backup} needs ${bytesNeeded} bytes on the disk of ${dirname(target)}; ${bytesFree} are free.`,
    { details: { needed: bytesNeeded, free: bytesFree } },
  );
}
