import { Logger } from '@nestjs/common';
import type { BlockPool } from '../block-pool/block-pool.js';
import type { DatabaseService } from '../database/database.service.js';
import type { TableCount } from '../database/table-counts.js';
import type { FileHeader } from '../duckdb-format/file-header.js';
import type { EncryptionKey } from '../encryption/encryption-key.js';
import { EiderError, messageOf } from '../errors/eider-error.js';
import type { Progress } from '../operations/operation.js';
import type { Compression } from '../block-pool/codec.js';
import type { StoredExtent } from '../repository/extent.js';
import { blocksKey, fullPackKey, type ObjectForm, walKey } from '../repository/keys.js';
import type { ExtentReference, Frame, Manifest, ManifestTable } from '../repository/manifest.js';
import type { Repository } from '../repository/repository.js';
import type { FilePosition } from '../duckdb-format/file-position.js';
import { abortable } from '../runtime/abortable.js';
import type { BaseBackup } from './base-backup.js';
import { type PackContents, packStream } from './pack-stream.js';
import { readTail, type WalContents, walStream } from './wal-stream.js';

/** Where an image goes. */
export interface CaptureTarget {
  readonly name: string;
  readonly compression: Compression;
  readonly encryption: EncryptionKey | undefined;
  /** What an incremental backup builds on; undefined for a full one. */
  readonly base: BaseBackup | undefined;
  /** Nobody waits for this backup: there is time to hash the contents of a small database. */
  readonly hashesTables: boolean;
  readonly signal?: AbortSignal;
}

/** An image that is in the store, without its manifest. */
export interface CapturedImage {
  readonly incremental: boolean;
  readonly position: FilePosition;
  readonly header: FileHeader;
  readonly headerFrame: Frame;
  /** Bytes of the database file. */
  readonly size: number;
  /** Every pack that holds a block of it, the one that was added included. */
  readonly packs: Manifest['packs'];
  readonly extents: Manifest['extents'];
  /** Bytes of the store that it takes up, and how many of these were added. */
  readonly stored: number;
  readonly added: number;
  readonly wal: Manifest['wal'];
  readonly tables: readonly ManifestTable[];
  /** As `SELECT version()` tells it, such as `v1.5.6`. */
  readonly duckdbVersion: string;
  /** The newest migration; null where there are none. */
  readonly schemaVersion: number | null;
}

/** Databases up to this size are read by DuckDB for each backup, too, so that a trial restore can compare contents: a second or so. */
const MOST_HASHED = 256 * 1024 * 1024;

/** How often row counts are taken again when commits come in between. */
const COUNT_TRIES = 3;

/**
 * Copies the live database into the store: the log up to its last commit first, then the whole file.
 *
 * The order matters: blocks that the log points at are in the file before the commit marker is in the log. The other way
 * round, copies hold pointers to stale blocks whose checksums are right.
 *
 * @throws EiderError BACKUP_IMAGE_CHANGED when somebody made a checkpoint meanwhile: what was stored is to be discarded
 */
export class ImageCapture {
  readonly #logger = new Logger('Backup');

  constructor(
    private readonly database: DatabaseService,
    private readonly repository: Repository,
    private readonly pool: BlockPool,
  ) {}

  async capture(target: CaptureTarget, progress: Progress): Promise<CapturedImage> {
    const { files } = this.database;
    const versions = await this.#versions(target);
    const { position, tables } = await this.#cut(target);
    const log = files.wal();
    const tail = log === undefined ? undefined : await readTail(log.descriptor, position.offset);
    const wal = await this.#storeWal(target, log?.descriptor, position.offset);
    const size = files.size();
    progress.total(size);
    const stored = await this.#storeBlocks(target, size, progress);
    // A checkpoint that is still under way has changed blocks, but not yet the header: the guard waits for its end.
    const header = await this.database.guardCheckpoint(() => Promise.resolve(files.header()));
    this.#verifyUnchanged(position, header, log);
    // A commit whose fsync failed is cut off again, and the next one is written over it.
    if (log !== undefined && !(await readTail(log.descriptor, position.offset)).equals(tail ?? Buffer.alloc(0))) {
      throw imageChanged('its last commit was taken back');
    }
    return {
      incremental: target.base !== undefined,
      position,
      header,
      size,
      ...stored,
      stored: stored.stored + (wal?.stored ?? 0),
      added: stored.added + (wal?.stored ?? 0),
      wal,
      tables,
      ...versions,
    };
  }

  async #versions(target: CaptureTarget): Promise<Pick<CapturedImage, 'duckdbVersion' | 'schemaVersion'>> {
    return this.database.read(async (session) => {
      const engine = await session.first<{ version: string }>('SELECT version() AS version');
      const migrated = await session.first(
        "SELECT 1 FROM duckdb_tables() WHERE schema_name = 'main' AND table_name = 'schema_migrations'",
      );
      const schema =
        migrated === undefined
          ? undefined
          : await session.first<{ version: number | null }>(
              'SELECT max(version)::INTEGER AS version FROM schema_migrations',
            );
      return { duckdbVersion: engine?.version ?? '', schemaVersion: schema?.version ?? null };
    }, signalOf(target));
  }

  /** The last commit, and how many rows each table has there: exact where no commit came between. */
  async #cut(target: CaptureTarget): Promise<{ position: FilePosition; tables: ManifestTable[] }> {
    for (let attempt = 1; ; attempt++) {
      const before = await this.database.position();
      const counts = await this.#readTables(target, attempt);
      const position = await this.database.position();
      const exact = before.iteration === position.iteration && before.offset === position.offset;
      if (exact || attempt === COUNT_TRIES) {
        return { position, tables: counts.map((table) => ({ ...table, exact, hash: exact ? table.hash : null })) };
      }
    }
  }

  /** Counting is repeated where commits come in between; hashing takes longer, so it is tried once. */
  async #readTables(target: CaptureTarget, attempt: number): Promise<(TableCount & { hash: string | null })[]> {
    if (attempt === 1 && target.hashesTables && this.database.files.size() <= MOST_HASHED) {
      try {
        return await this.database.tableHashes(signalOf(target));
      } catch (error) {
        target.signal?.throwIfAborted();
        // Little memory must not keep a backup from being taken; it is the blocks that matter.
        this.#logger.warn(`contents were not hashed: ${messageOf(error)}`);
      }
    }
    const counts = await this.database.tableCounts(signalOf(target));
    return counts.map((table) => ({ ...table, hash: null }));
  }

  async #storeWal(target: CaptureTarget, descriptor: number | undefined, length: number): Promise<Manifest['wal']> {
    if (length === 0) return null;
    if (descriptor === undefined) throw imageChanged('its write-ahead log went away');
    const key = walKey(target.name, formOf(target));
    const contents: WalContents = { stored: 0, sha256: '' };
    await this.repository.store.upload(
      key,
      walStream(descriptor, length, { ...target, key }, contents),
      signalOf(target),
    );
    return { key, length, stored: contents.stored, sha256: contents.sha256 };
  }

  /** Stores the blocks that the base does not have, and the tables that say where each block is. */
  async #storeBlocks(
    target: CaptureTarget,
    size: number,
    progress: Progress,
  ): Promise<Pick<CapturedImage, 'headerFrame' | 'packs' | 'extents' | 'stored' | 'added'>> {
    const { name, compression, encryption, base } = target;
    const key = (base === undefined ? fullPackKey : blocksKey)(name, formOf(target));
    const contents: PackContents = { length: 0, used: 0, header: undefined, packs: new Set() };
    const extents: ExtentReference[] = [];
    let tables = 0;
    let tablesAdded = 0;
    const onExtent = async (extent: StoredExtent, ofBase: boolean): Promise<void> => {
      const { sha256, first, count, body } = extent;
      extents.push({ key: extent.key, sha256, first, count });
      tables += body.byteLength;
      tablesAdded += await abortable(this.repository.extents.put(extent, ofBase), target.signal);
    };
    const source = { descriptor: this.database.files.mainDescriptor(), size };
    const pack = { key, name, compression, encryption, base, onExtent, signal: target.signal };
    const stream = packStream(this.pool, source, pack, contents, (bytes) => progress.advance(bytes));
    // The store may never answer, and a backup that is given up must end all the same.
    const chunks = await abortable(unlessEmpty(stream), target.signal);
    if (chunks !== undefined) {
      await this.repository.store.upload(key, chunks, { ...signalOf(target), partSize: partSizeFor(size) });
    }
    if (contents.header === undefined) throw new Error('the pack has no header');
    const lengths = new Map(base?.manifest.packs.map((pack) => [pack.key, pack.length]));
    if (contents.length > 0) lengths.set(key, contents.length);
    return {
      headerFrame: contents.header,
      packs: [...contents.packs].map((used) => {
        const length = lengths.get(used);
        if (length === undefined) throw new Error(`the manifest to build on does not list the pack ${used}`);
        return { key: used, length };
      }),
      extents,
      stored: contents.used + tables,
      added: contents.length + tablesAdded,
    };
  }

  /** A checkpoint raises the iteration; a log that was replaced has another inode. Either makes the copy a mixture. */
  #verifyUnchanged(
    position: FilePosition,
    header: FileHeader,
    log: { readonly inode: bigint; readonly size: number } | undefined,
  ): void {
    if (header.iteration !== position.iteration) throw imageChanged('it was checkpointed');
    const now = this.database.files.wal();
    if (log !== undefined && now?.inode !== log.inode) throw imageChanged('its write-ahead log was replaced');
    if (position.offset > 0 && (now === undefined || now.size < position.offset)) {
      throw imageChanged('its write-ahead log was cut');
    }
  }
}

/** The form of what a backup stores. */
export function formOf({ compression, encryption }: Pick<CaptureTarget, 'compression' | 'encryption'>): ObjectForm {
  return { compressed: compression === 'zstd', encrypted: encryption !== undefined };
}

/** 16 MiB, and more where 10,000 parts of that would not hold the database. */
export function partSizeFor(size: number): number {
  const mebibyte = 1024 * 1024;
  return Math.max(16 * mebibyte, Math.ceil((size * 1.01) / 9_000 / mebibyte) * mebibyte);
}

function imageChanged(what: string): EiderError {
  return new EiderError('BACKUP_IMAGE_CHANGED', `The database changed while it was copied: ${what}.`);
}

function signalOf({ signal }: CaptureTarget): { signal?: AbortSignal } {
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
