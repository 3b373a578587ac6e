import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { BlockPool } from '../block-pool/block-pool.js';
import type { DecodeFrame } from '../block-pool/block-tasks.js';
import { codecOf } from '../block-pool/codec.js';
import { inOrder } from '../block-pool/in-order.js';
import { BLOCK_SIZE, HEADERS_SIZE } from '../duckdb-format/layout.js';
import { EiderError, isEiderError, messageOf } from '../errors/eider-error.js';
import type { Progress } from '../operations/operation.js';
import { writeFully } from '../runtime/write-fully.js';
import { keyOf } from './backup-key.js';
import { decompressor } from './decompress.js';
import type { Frame, Manifest } from './manifest.js';
import type { Repository } from './repository.js';
import { logHashOf } from './sealed-facts.js';
import { openLog } from './sealed-log.js';
import { type Segment, segmentsOf, WINDOW_FRAMES } from './segments.js';

/** Segments being fetched or decoded at once: some keep the threads busy while the others are on their way. */
const SEGMENTS_AT_ONCE = 8;

/** Something in the store that is not what the manifest says. */
export interface Damage {
  readonly key: string;
  readonly why: string;
  /** Block of the database file; -1 for its headers. */
  readonly block?: number;
}

interface PlacedFrame extends Frame {
  readonly block: number;
  readonly target: { readonly offset: number; readonly length: number };
}

/** Reads a backup's image: every block is checked against its SHA-256, and written where a file is given. */
export class ImageReader {
  constructor(
    private readonly repository: Repository,
    private readonly pool: BlockPool,
  ) {}

  /**
   * Reads the database file of a backup.
   *
   * @param file - undefined checks only
   * @returns what is damaged or missing; a store that cannot be reached is thrown
   * @throws EiderError ENCRYPTION_KEY_MISSING before anything is read; STORE_*
   */
  async readMain(
    manifest: Manifest,
    file: FileHandle | undefined,
    progress: Progress,
    signal?: AbortSignal,
  ): Promise<Damage[]> {
    keyOf(manifest, this.repository.keyring);
    const damages: Damage[] = [];
    for await (const found of inOrder(this.#segments(manifest), SEGMENTS_AT_ONCE, async (segment) => {
      signal?.throwIfAborted();
      const damage = await this.#readSegment(manifest, segment, file, signal);
      progress.advance(segment.frames.reduce((sum, { target }) => sum + target.length, 0));
      return damage;
    })) {
      damages.push(...found);
    }
    return damages;
  }

  /** Reads the log of a backup, where it has one. As `readMain`. */
  async readWal(manifest: Manifest, file: FileHandle | undefined, signal?: AbortSignal): Promise<Damage[]> {
    const { wal } = manifest;
    if (wal === null) return [];
    const { keyring } = this.repository;
    const key = keyOf(manifest, keyring);
    const expected = logHashOf(manifest, wal, keyring);
    const hash = createHash('sha256');
    let length = 0;
    const take = async (chunks: AsyncIterable<Uint8Array>): Promise<void> => {
      for await (const chunk of chunks) {
        hash.update(chunk);
        if (file !== undefined) await writeFully(file, chunk, length);
        length += chunk.length;
      }
    };
    try {
      const { stream } = await this.repository.store.open(wal.key, signal === undefined ? {} : { signal });
      if (key === undefined) {
        await pipeline(stream, decompressor(manifest.compression === 'zstd' ? 'zstd' : 'plain'), take);
      } else await take(openLog(stream, key.bytes, wal.key, codecOf(manifest.compression)));
    } catch (error) {
      if (isEiderError(error) && error.code !== 'STORE_NOT_FOUND') throw error;
      const isSealed = key !== undefined && !isEiderError(error);
      return [{ key: wal.key, why: isSealed ? `cannot be decrypted (${messageOf(error)})` : messageOf(error) }];
    }
    const whole = length === wal.length && hash.digest('hex') === expected;
    return whole ? [] : [{ key: wal.key, why: 'does not match its SHA-256' }];
  }

  /** A read that finds damage is made once more: bytes can be flipped on their way, too. */
  async #readSegment(
    manifest: Manifest,
    segment: Segment<PlacedFrame>,
    file: FileHandle | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Damage[]> {
    const first = await this.#tryReadSegment(manifest, segment, file, signal);
    return first.length === 0 ? first : this.#tryReadSegment(manifest, segment, file, signal);
  }

  async #tryReadSegment(
    manifest: Manifest,
    { pack, start, end, frames }: Segment<PlacedFrame>,
    file: FileHandle | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Damage[]> {
    let stored: Buffer;
    try {
      stored = await this.repository.store.read(pack, { range: { start, end }, ...(signal && { signal }) });
    } catch (error) {
      if (!isEiderError(error, 'STORE_NOT_FOUND') && !isEiderError(error, 'STORE_CORRUPT')) throw error;
      return [{ key: pack, why: messageOf(error) }];
    }
    const task = frames.map(({ offset, length, sha256, target, block }): DecodeFrame => ({
      block,
      start: offset - start,
      length,
      sha256,
      target,
    }));
    const key = keyOf(manifest, this.repository.keyring);
    const { damaged } = await this.pool.decode({
      descriptor: file?.fd,
      compression: manifest.compression,
      stored,
      frames: task,
      seal: key && { key: key.bytes, pack },
    });
    return damaged.map(({ index, why }) => ({ key: pack, why, block: frames[index]?.block ?? -1 }));
  }

  async *#segments(manifest: Manifest): AsyncGenerator<Segment<PlacedFrame>, void, void> {
    let window: PlacedFrame[] = [];
    for await (const frame of this.#frames(manifest)) {
      window.push(frame);
      if (window.length < WINDOW_FRAMES) continue;
      yield* segmentsOf(window);
      window = [];
    }
    yield* segmentsOf(window);
  }

  async *#frames(manifest: Manifest): AsyncGenerator<PlacedFrame, void, void> {
    const { size, header } = manifest.database;
    yield { ...header, block: -1, target: { offset: 0, length: HEADERS_SIZE } };
    let block = 0;
    for await (const extent of this.repository.extents.of(manifest)) {
      for (const frame of extent.frames) {
        const offset = HEADERS_SIZE + block * BLOCK_SIZE;
        yield { ...frame, block, target: { offset, length: Math.min(BLOCK_SIZE, size - offset) } };
        block++;
      }
    }
    if (block !== manifest.database.blocks) {
      throw new EiderError(
        'EXTENT_CORRUPT',
        `The block tables of ${manifest.name} hold ${block} blocks in place of ${manifest.database.blocks}.`,
      );
    }
  }
}
