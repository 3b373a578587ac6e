import { BLOCKS_PER_EXTENT, type Extent } from '../repository/extent.js';
import type { Frame, Manifest } from '../repository/manifest.js';
import type { Repository } from '../repository/repository.js';
import type { PackUse } from './worn-packs.js';

/** What the base has for a few blocks. */
export interface BaseBlocks {
  /** In order; undefined for blocks that it does not have. */
  readonly frames: readonly (Frame | undefined)[];
  /** The table that they are in; undefined for the headers, and behind the last one. */
  readonly table: (Pick<Extent, 'by'> & { readonly count: number }) | undefined;
}

/** A backup that the next one builds on: blocks that are still the same are not stored again. */
export class BaseBackup {
  #index = -1;
  #extent: Promise<Extent | undefined> | undefined;

  /** @param left - packs that count as not there: the next backup is not to need them */
  constructor(
    readonly manifest: Manifest,
    private readonly repository: Repository,
    private readonly left: ReadonlySet<string> = new Set(),
  ) {}

  /** The same backup, with packs that the next one is not to need. */
  without(packs: ReadonlySet<string>): BaseBackup {
    return new BaseBackup(this.manifest, this.repository, packs);
  }

  /** The frame of the file's first 12,288 bytes. */
  get header(): Frame | undefined {
    return this.#unlessLeft(this.manifest.database.header);
  }

  /**
   * The frames of consecutive blocks of one extent. One extent is in memory.
   *
   * @throws EiderError EXTENT_CORRUPT, BACKUP_DAMAGED
   */
  async blocks(first: number, count: number): Promise<BaseBlocks> {
    const index = Math.floor(first / BLOCKS_PER_EXTENT);
    if (index !== this.#index) {
      this.#index = index;
      this.#extent = this.repository.extents.cached(this.manifest, index);
      // It is seen by whoever awaits it.
      this.#extent.catch(() => {});
    }
    const extent = await this.#extent;
    const start = first - index * BLOCKS_PER_EXTENT;
    return {
      frames: Array.from({ length: count }, (_, offset) => this.#unlessLeft(extent?.frames[start + offset])),
      table: extent === undefined ? undefined : { by: extent.by, count: extent.frames.length },
    };
  }

  /** Bytes of each of its packs that it still uses. Reads every extent. */
  async packUse(): Promise<PackUse> {
    const { database, extents } = this.manifest;
    const use = new Map([[database.header.pack, database.header.length]]);
    for (let index = 0; index < extents.length; index++) {
      const extent = await this.repository.extents.cached(this.manifest, index);
      for (const { pack, length } of extent?.frames ?? []) use.set(pack, (use.get(pack) ?? 0) + length);
    }
    return use;
  }

  #unlessLeft(frame: Frame | undefined): Frame | undefined {
    return frame !== undefined && this.left.has(frame.pack) ? undefined : frame;
  }
}
