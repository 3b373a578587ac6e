import { BLOCKS_PER_EXTENT, type Extent } from '../repository/extent.js';
import type { Frame, Manifest } from '../repository/manifest.js';
import type { Repository } from '../repository/repository.js';

/** A backup that the next one builds on: blocks that are still the same are not stored again. */
export class BaseBackup {
  #index = -1;
  #extent: Promise<Extent | undefined> | undefined;

  constructor(
    readonly manifest: Manifest,
    private readonly repository: Repository,
  ) {}

  /**
   * The frames of consecutive blocks of one extent; undefined for blocks that it does not have. One extent is in memory.
   *
   * @throws EiderError EXTENT_CORRUPT, BACKUP_DAMAGED
   */
  async frames(first: number, count: number): Promise<(Frame | undefined)[]> {
    const index = Math.floor(first / BLOCKS_PER_EXTENT);
    if (index !== this.#index) {
      this.#index = index;
      this.#extent = this.repository.extents.cached(this.manifest, index);
      // It is seen by whoever awaits it.
      this.#extent.catch(() => {});
    }
    const frames = (await this.#extent)?.frames ?? [];
    const start = first - index * BLOCKS_PER_EXTENT;
    return Array.from({ length: count }, (_, offset) => frames[start + offset]);
  }

  /** Bytes of its packs that it still uses. Reads every extent. */
  async usedBytes(): Promise<number> {
    let used = this.manifest.database.header.length;
    for (let index = 0; index < this.manifest.extents.length; index++) {
      const extent = await this.repository.extents.cached(this.manifest, index);
      for (const { length } of extent?.frames ?? []) used += length;
    }
    return used;
  }
}
