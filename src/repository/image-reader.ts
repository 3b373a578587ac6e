import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { BlockPool } from '../block-pool/block-pool.js';
import { codecOf } from '../block-pool/codec.js';
import { FrameMemory } from '../block-pool/frame-memory.js';
import { inOrder } from '../block-pool/in-order.js';
import { isEiderError, messageOf } from '../errors/eider-error.js';
import { NO_PROGRESS, type Progress } from '../operations/operation.js';
import { writeFully } from '../runtime/write-fully.js';
import { keyOf } from './backup-key.js';
import { decompressor } from './decompress.js';
import { bytesOfBlocks, imageFrames, inRowsOf, type PlacedFrame, rowsOf } from './image-frames.js';
import type { LocalBlocks } from './local-blocks.js';
import type { Manifest } from './manifest.js';
import type { Repository } from './repository.js';
import { logHashOf } from './sealed-facts.js';
import { openLog } from './sealed-log.js';
import { MOST_BYTES, type Segment, segmentsOf, surplusOf, WINDOW_FRAMES } from './segments.js';

/** Segments being fetched or decoded at once: some keep the threads busy while the others are on their way. */
const SEGMENTS_AT_ONCE = 4;

/** Frames of one task of a thread: 4 MiB of the file, which the thread's collector has to free afterwards. */
const FRAMES_PER_TASK = 16;

/** Something in the store that is not what the manifest says. */
export interface Damage {
  readonly key: string;
  readonly why: string;
  /** Block of the database file; -1 for its headers. */
  readonly block?: number;
}

/** What reading a database file came to. */
export interface MainReading {
  /** What is damaged or missing. */
  readonly damages: readonly Damage[];
  /** Bytes of packs that were read, those between frames included, which `bytes.stored` of a manifest does not count. */
  readonly surplus: number;
}

/** What there is to read from the store. */
export interface MainNeeds {
  readonly surplus: number;
  /** Keys of the packs. */
  readonly packs: ReadonlySet<string>;
}

/** One run of `readMain`. */
interface Reading {
  readonly manifest: Manifest;
  readonly file: FileHandle | undefined;
  readonly signal: AbortSignal | undefined;
  /** For segments as they are stored: one for each that is under way, used again and again. */
  readonly memory: FrameMemory;
}

/** Reads a backup's image: every block is checked against its SHA-256, and written where a file is given. */
export class ImageReader {
  constructor(
    private readonly repository: Repository,
    private readonly pool: BlockPool,
  ) {}

  /**
   * Reads the database file of a backup. A store that cannot be reached is thrown.
   *
   * @param file - undefined checks only
   * @param local - blocks that need not be fetched
   * @throws EiderError ENCRYPTION_KEY_MISSING before anything is read; STORE_*
   */
  async readMain(
    manifest: Manifest,
    file: FileHandle | undefined,
    progress: Progress,
    signal?: AbortSignal,
    local?: LocalBlocks,
  ): Promise<MainReading> {
    keyOf(manifest, this.repository.keyring);
    const damages: Damage[] = [];
    let surplus = 0;
    const reading: Reading = { manifest, file, signal, memory: new FrameMemory({ count: 1, size: MOST_BYTES }) };
    const segments = this.#segments(manifest, local, progress, signal);
    for await (const found of inOrder(segments, SEGMENTS_AT_ONCE, async (segment) => {
      signal?.throwIfAborted();
      const damage = await this.#readSegment(segment, reading);
      surplus += surplusOf(segment);
      progress.advance(bytesOfBlocks(segment.frames));
      return damage;
    })) {
      damages.push(...found);
    }
    return { damages, surplus };
  }

  /** What `readMain` would read with these local blocks; none is read. */
  async needs(manifest: Manifest, local: LocalBlocks, signal?: AbortSignal): Promise<MainNeeds> {
    const packs = new Set<string>();
    let surplus = 0;
    for await (const segment of this.#segments(manifest, local, NO_PROGRESS, signal)) {
      packs.add(segment.pack);
      surplus += surplusOf(segment);
    }
    return { surplus, packs };
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
  async #readSegment(segment: Segment<PlacedFrame>, reading: Reading): Promise<Damage[]> {
    const first = await this.#tryReadSegment(segment, reading);
    return first.length === 0 ? first : this.#tryReadSegment(segment, reading);
  }

  async #tryReadSegment(segment: Segment<PlacedFrame>, reading: Reading): Promise<Damage[]> {
    const { pack, start, end } = segment;
    const { memory, signal } = reading;
    const shared = memory.take();
    try {
      const into = new Uint8Array(shared);
      const stored = await this.repository.store.read(pack, { range: { start, end }, into, ...(signal && { signal }) });
      return await this.#decode(segment, stored, reading);
    } catch (error) {
      if (!isEiderError(error, 'STORE_NOT_FOUND') && !isEiderError(error, 'STORE_CORRUPT')) throw error;
      return [{ key: pack, why: messageOf(error) }];
    } finally {
      memory.give(shared);
    }
  }

  /** Several threads decode one segment: each holds the blocks of one task, and all end at about the same time. */
  async #decode(
    { pack, start, frames }: Segment<PlacedFrame>,
    stored: Buffer,
    { file, manifest }: Reading,
  ): Promise<Damage[]> {
    const key = keyOf(manifest, this.repository.keyring);
    const tasks = rowsOf(FRAMES_PER_TASK, frames).map(async (row): Promise<Damage[]> => {
      const { damaged } = await this.pool.decode({
        descriptor: file?.fd,
        compression: manifest.compression,
        stored,
        frames: row.map(({ offset, length, sha256, target, block }) => ({
          block,
          start: offset - start,
          length,
          sha256,
          target,
        })),
        seal: key && { key: key.bytes, pack },
      });
      return damaged.map(({ index, why }) => ({ key: pack, why, block: row[index]?.block ?? -1 }));
    });
    // All of them: the memory is used again afterwards.
    await Promise.allSettled(tasks);
    return (await Promise.all(tasks)).flat();
  }

  async *#segments(
    manifest: Manifest,
    local: LocalBlocks | undefined,
    progress: Progress,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Segment<PlacedFrame>, void, void> {
    const all = imageFrames(manifest, this.repository.extents, signal);
    const wanted = local?.missing(all, (bytes) => progress.advance(bytes), signal) ?? all;
    for await (const window of inRowsOf(WINDOW_FRAMES, wanted)) yield* segmentsOf(window);
  }
}
