import type { BlockPool } from '../block-pool/block-pool.js';
import type { DatabaseService } from '../database/database.service.js';
import type { FileHeader } from '../duckdb-format/file-header.js';
import type { FilePosition } from '../duckdb-format/file-position.js';
import { EiderError } from '../errors/eider-error.js';
import type { Progress } from '../operations/operation.js';
import type { Manifest } from '../repository/manifest.js';
import type { Repository } from '../repository/repository.js';
import { ContentsReader, type ImageContents, type ImageVersions } from './contents-reader.js';
import { ImageUpload, type StoredBlocks, type UploadTarget } from './image-upload.js';
import { readTail } from './wal-stream.js';

/** Where an image goes, and what is to be known of it. */
export interface CaptureTarget extends UploadTarget {
  /** Nobody waits for this backup: there is time to hash the contents of a small database. */
  readonly hashesTables: boolean;
}

/** An image that is in the store, without its manifest. */
export interface CapturedImage extends ImageContents, ImageVersions, StoredBlocks {
  readonly incremental: boolean;
  readonly header: FileHeader;
  /** Bytes of the database file. */
  readonly size: number;
  readonly wal: Manifest['wal'];
}

/**
 * Copies the live database into the store: the log up to its last commit first, then the whole file.
 *
 * The order matters: blocks that the log points at are in the file before the commit marker is in the log. The other way
 * round, copies hold pointers to stale blocks whose checksums are right.
 *
 * @throws EiderError BACKUP_IMAGE_CHANGED when somebody made a checkpoint meanwhile, DATABASE_NOT_SYNCED when its log may not be on
 * the disk: what was stored is to be discarded
 */
export class ImageCapture {
  readonly #reader: ContentsReader;

  constructor(
    private readonly database: DatabaseService,
    private readonly repository: Repository,
    private readonly pool: BlockPool,
  ) {
    this.#reader = new ContentsReader(database);
  }

  async capture(target: CaptureTarget, progress: Progress): Promise<CapturedImage> {
    const { files } = this.database;
    const upload = new ImageUpload(this.repository, this.pool, target);
    const versions = await this.#reader.versions(target);
    const { position, tables } = await this.#reader.contents(target);
    const log = files.wal();
    const tail = log === undefined ? undefined : await readTail(log.descriptor, position.offset);
    const wal = await storeWal(upload, log?.descriptor, position.offset);
    const size = files.size();
    progress.total(size);
    const stored = await upload.blocks({ descriptor: files.mainDescriptor(), size }, progress);
    // A checkpoint that is still under way has changed blocks, but not yet the header: the guard waits for its end.
    const header = await this.database.guardCheckpoint(() => Promise.resolve(files.header()));
    this.#verifyUnchanged(position, header, log);
    if (log !== undefined && position.offset > 0) await files.syncLog(log.descriptor);
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

async function storeWal(upload: ImageUpload, descriptor: number | undefined, length: number): Promise<Manifest['wal']> {
  if (length === 0) return null;
  if (descriptor === undefined) throw imageChanged('its write-ahead log went away');
  return upload.wal(descriptor, length);
}

function imageChanged(what: string): EiderError {
  return new EiderError('BACKUP_IMAGE_CHANGED', `The database changed while it was copied: ${what}.`);
}
