import type { BlockPool } from '../block-pool/block-pool.js';
import type { Compression } from '../block-pool/codec.js';
import type { EncryptionKey } from '../encryption/encryption-key.js';
import type { Progress } from '../operations/operation.js';
import type { StoredExtent } from '../repository/extent.js';
import { blocksKey, fullPackKey, type ObjectForm, walKey } from '../repository/keys.js';
import type { ExtentReference, Frame, Manifest } from '../repository/manifest.js';
import type { Repository } from '../repository/repository.js';
import { abortable } from '../runtime/abortable.js';
import type { BaseBackup } from './base-backup.js';
import { type PackContents, type PackSource, packStream } from './pack-stream.js';
import { type WalContents, walStream } from './wal-stream.js';

/** Where an image goes. */
export interface UploadTarget {
  readonly name: string;
  readonly compression: Compression;
  readonly encryption: EncryptionKey | undefined;
  /** What an incremental backup builds on; undefined for a full one. */
  readonly base: BaseBackup | undefined;
  readonly signal?: AbortSignal;
}

/** Blocks of an image that are in the store. */
export interface StoredBlocks {
  readonly headerFrame: Frame;
  /** Every pack that holds a block of it, the one that was added included. */
  readonly packs: Manifest['packs'];
  readonly extents: Manifest['extents'];
  /** Bytes of the store that it takes up, and how many of these were added. */
  readonly stored: number;
  readonly added: number;
}

/** Block tables that were stored so far. */
interface StoredTables {
  readonly extents: ExtentReference[];
  stored: number;
  added: number;
}

/** Puts the parts of an image into the store, under the name of its backup. */
export class ImageUpload {
  constructor(
    private readonly repository: Repository,
    private readonly pool: BlockPool,
    private readonly target: UploadTarget,
  ) {}

  /** Stores the log up to a commit. */
  async wal(descriptor: number, length: number): Promise<NonNullable<Manifest['wal']>> {
    const key = walKey(this.target.name, formOf(this.target));
    const contents: WalContents = { stored: 0, sha256: '' };
    const stream = walStream(descriptor, length, { ...this.target, key }, contents);
    await this.repository.store.upload(key, stream, signalOf(this.target));
    return { key, length, stored: contents.stored, sha256: contents.sha256 };
  }

  /** Stores the blocks that the base does not have, and the tables that say where each block is. */
  async blocks(source: PackSource, progress: Progress): Promise<StoredBlocks> {
    const { name, compression, encryption, base, signal } = this.target;
    const key = (base === undefined ? fullPackKey : blocksKey)(name, formOf(this.target));
    const contents: PackContents = { length: 0, used: 0, header: undefined, packs: new Set() };
    const tables: StoredTables = { extents: [], stored: 0, added: 0 };
    const onExtent = (extent: StoredExtent, ofBase: boolean): Promise<void> => this.#table(extent, ofBase, tables);
    const pack = { key, name, compression, encryption, base, onExtent, signal };
    const stream = packStream(this.pool, source, pack, contents, (bytes) => progress.advance(bytes));
    // The store may never answer, and a backup that is given up must end all the same.
    const chunks = await abortable(unlessEmpty(stream), signal);
    if (chunks !== undefined) {
      const options = { ...signalOf(this.target), partSize: partSizeFor(source.size) };
      await this.repository.store.upload(key, chunks, options);
    }
    if (contents.header === undefined) throw new Error('the pack has no header');
    return {
      headerFrame: contents.header,
      packs: packsOf(contents, key, base),
      extents: tables.extents,
      stored: contents.used + tables.stored,
      added: contents.length + tables.added,
    };
  }

  async #table(extent: StoredExtent, ofBase: boolean, tables: StoredTables): Promise<void> {
    const { key, sha256, first, count, body } = extent;
    tables.extents.push({ key, sha256, first, count });
    tables.stored += body.byteLength;
    const added = await abortable(this.repository.extents.put(extent, ofBase), this.target.signal);
    tables.added += added;
  }
}

/** The form of what a backup stores. */
export function formOf({ compression, encryption }: Pick<UploadTarget, 'compression' | 'encryption'>): ObjectForm {
  return { compressed: compression === 'zstd', encrypted: encryption !== undefined };
}

/** 16 MiB, and more where 10,000 parts of that would not hold the database. */
export function partSizeFor(size: number): number {
  const mebibyte = 1024 * 1024;
  return Math.max(16 * mebibyte, Math.ceil((size * 1.01) / 9_000 / mebibyte) * mebibyte);
}

/** The packs that hold the frames, with their lengths: the new one's, and those that the manifest of the base tells. */
function packsOf({ length: added, packs }: PackContents, key: string, base: BaseBackup | undefined): Manifest['packs'] {
  const lengths = new Map(base?.manifest.packs.map((pack) => [pack.key, pack.length]));
  if (added > 0) lengths.set(key, added);
  return [...packs].map((used) => {
    const length = lengths.get(used);
    if (length === undefined) throw new Error(`the manifest to build on does not list the pack ${used}`);
    return { key: used, length };
  });
}

function signalOf({ signal }: UploadTarget): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

/** The stream from its beginning; undefined where nothing comes. */
async function unlessEmpty(stream: AsyncGenerator<Buffer, void, void>): Promise<AsyncIterable<Buffer> | undefined> {
  const first = await stream.next();
  return first.done === true ? undefined : resumed(first.value, stream);
}

async function* resumed<T>(first: T, rest: AsyncIterable<T>): AsyncGenerator<T, void, void> {
  yield first;
  yield* rest;
}
