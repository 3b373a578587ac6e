import type { BlockPool } from '../block-pool/block-pool.js';
import type { Compression } from '../block-pool/codec.js';
import type { BaseBackup } from '../backup/base-backup.js';
import type { DatabaseDescriptors } from '../database/database-descriptors.js';
import type { Keyring } from '../encryption/keyring.js';
import { ALGORITHM } from '../encryption/seal.js';
import { EiderError } from '../errors/eider-error.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { LogHead, WalRecordHead } from '../repository/log-record.js';
import { openHashes, sealHashes } from '../repository/sealed-record.js';
import { BlockChanges } from './block-changes.js';
import type { LogWriter } from './log-writer.js';
import { storeSegment } from './wal-segment.js';
import { type SeenCommits, type TailFinding, WalTail } from './wal-tail.js';

/** What shipping an iteration takes. */
export interface ShippingParts {
  readonly files: DatabaseDescriptors;
  readonly pool: BlockPool;
  readonly store: ObjectStore;
  readonly compression: Compression;
  readonly keyring: Keyring;
}

/** Ships the commits between two checkpoints, once the backup that they rest on is in the store. */
export class IterationShipper {
  readonly #tail: WalTail;
  #changes: BlockChanges | undefined;
  #base: string | undefined;
  /** On its way, or in doubt. */
  #underWay: SeenCommits | undefined;

  /** @param from - what is in the store already: just after a commit marker, or 0 */
  constructor(
    private readonly parts: ShippingParts,
    readonly iteration: number,
    from: number,
  ) {
    this.#tail = new WalTail(parts.files, iteration, from);
  }

  /** Just after the last commit seen. */
  get position(): number {
    return this.#tail.position;
  }

  /** Just after the last commit but one. */
  get commitBefore(): number {
    return this.#tail.commitBefore;
  }

  /** Whether the log is read: what was committed before it is replaced is then seen all the same. */
  get isFollowing(): boolean {
    return this.#tail.descriptor !== undefined;
  }

  /** Bytes that were seen and are not in the store, and since when in ms since 1970. */
  get waiting(): { readonly bytes: number; readonly since: number | undefined } {
    const { from, to, marks } = this.#underWay ?? { from: 0, to: 0, marks: [] };
    return { bytes: to - from + this.#tail.waiting, since: marks[0]?.[1] ?? this.#tail.waitingSince };
  }

  /** The backup is in the store: commits rest on it from now on. */
  restOn(base: BaseBackup): void {
    const known = async (first: number, count: number): Promise<(string | undefined)[]> =>
      (await base.blocks(first, count)).frames.map((frame) => frame?.sha256);
    const { files, pool, compression, keyring } = this.parts;
    this.#changes = new BlockChanges(files, pool, compression, known, keyring.writing);
    this.#base = base.manifest.name;
  }

  /** Looks for new commits. @param now - ms since 1970 */
  look(now: number): TailFinding {
    return this.#tail.look(now);
  }

  /**
   * Ships what was seen, as one record; where it is too much for one, the first part.
   *
   * @returns the record; undefined where there was nothing to ship
   * @throws EiderError REPLICATION_FENCED, STORE_*: what was seen waits, or is in doubt with the writer; DATABASE_NOT_SYNCED
   */
  async ship(writer: LogWriter, signal?: AbortSignal): Promise<LogHead | undefined> {
    const seen = this.#base === undefined ? undefined : this.#tail.take();
    if (seen === undefined) return undefined;
    this.#underWay = seen;
    try {
      return await this.#tail.reading(() => this.#append(writer, seen, signal));
    } catch (error) {
      // A record in doubt keeps its commits until it is settled.
      if (!writer.isInDoubt) {
        this.#tail.putBack(seen);
        this.#underWay = undefined;
      }
      throw error;
    }
  }

  /** Takes note of a record that is in the store; false for one of another iteration. */
  note(head: WalRecordHead): boolean {
    if (head.base !== this.#base || head.iteration !== this.iteration) return false;
    this.#changes?.noteShipped(openHashes(head, this.parts.keyring).blocks);
    this.#underWay = undefined;
    return true;
  }

  close(): void {
    this.#tail.close();
  }

  async #append(writer: LogWriter, seen: SeenCommits, signal: AbortSignal | undefined): Promise<LogHead> {
    const { descriptor } = this.#tail;
    const { store, compression, keyring } = this.parts;
    const encryption = keyring.writing;
    if (descriptor === undefined || this.#base === undefined) throw new Error('commits were seen in no log');
    const slot = writer.slot();
    const changes = seen.rowGroups ? this.#changes : undefined;
    const segment = await storeSegment(store, { ...slot, descriptor, seen, compression, encryption, changes }, signal);
    // What is read while DuckDB still waits for the disk may be taken back.
    await this.parts.files.syncLog(descriptor);
    this.#verifyUnchanged();
    const { from, to, commits } = seen;
    const { payload, inline } = segment;
    const { wal, blocks } = sealHashes({ ...slot, wal: segment.wal, blocks: [...segment.blocks] }, encryption);
    return writer.append(
      slot,
      {
        kind: 'wal',
        base: this.#base,
        iteration: this.iteration,
        from,
        to,
        commits,
        marks: [...seen.marks],
        wal,
        blocks,
        compression,
        encryption: encryption === undefined ? null : { algorithm: ALGORITHM, keyId: encryption.id },
        payload,
      },
      inline,
      signal === undefined ? {} : { signal },
    );
  }

  /** After a checkpoint that was not waited for, blocks may hold something else than the commits point at. */
  #verifyUnchanged(): void {
    if (!this.#tail.isIntact())
      throw new EiderError('BACKUP_IMAGE_CHANGED', 'A commit was taken back while it was shipped.');
    if (this.parts.files.header().iteration === this.iteration) return;
    throw new EiderError('BACKUP_IMAGE_CHANGED', 'The log was folded while it was shipped.');
  }
}
