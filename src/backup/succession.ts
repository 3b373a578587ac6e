import { Logger } from '../runtime/injection.js';
import type { DatabaseService } from '../database/database.service.js';
import { isOwnBackup, knowsNewest } from '../lineage/known-history.js';
import type { Lineage } from '../lineage/lineage.js';
import type { Listing } from '../repository/listing.js';
import type { Manifest } from '../repository/manifest.js';
import type { Repository } from '../repository/repository.js';

/** Sees where another process has written a newer backup and so replaced this one, which refuses writes from then on. */
export class Succession {
  readonly #logger = new Logger('Backup');
  #replacedBy: string | null = null;

  constructor(
    private readonly database: DatabaseService,
    private readonly repository: Repository,
    private readonly lineage: Lineage,
  ) {}

  /** The newest backup of another process, once one was seen. */
  get replacedBy(): string | null {
    return this.#replacedBy;
  }

  /** Yields to another process that wrote a backup: what this one holds is saved as a fork, once. */
  async yieldToNewer(listing: Listing): Promise<void> {
    const newest = await this.#unknownNewest(listing);
    if (newest === undefined) return;
    const before = this.#replacedBy;
    if (before === null) {
      this.#logger.error(
        `${newest.name} was written by another process (host ${newest.host}): this one refuses writes from now on and saves what it holds as a fork`,
      );
    }
    this.#replacedBy = newest.name;
    await this.database.writeGate.close(reasonOf(newest.name));
    if (before !== null && before !== newest.name) this.database.resumeWrites(reasonOf(before));
    await this.lineage.fork();
  }

  /** The database was replaced by a restore, which took every backup there is into account: no other process is ahead. */
  end(): void {
    if (this.#replacedBy === null) return;
    this.database.resumeWrites(reasonOf(this.#replacedBy));
    this.#replacedBy = null;
  }

  /** The newest backup of the main history, where this history does not know it. */
  async #unknownNewest({ backups }: Listing): Promise<Manifest | undefined> {
    const { state } = this.lineage;
    for (const { name } of backups) {
      // Its manifest need not be read: a damaged one must not keep the next backup from being taken.
      if (isOwnBackup(state, name)) return undefined;
      const manifest = await this.repository.manifests.of(name);
      if (manifest.fork) continue;
      const names = backups.map((backup) => backup.name);
      return knowsNewest(state, manifest, names) ? undefined : manifest;
    }
    return undefined;
  }
}

/** Why writes are refused once another process was seen. */
function reasonOf(newest: string): string {
  return `another process wrote the newer backup ${newest}`;
}
