import { createHash } from 'node:crypto';
import { read } from 'node:fs';
import { promisify } from 'node:util';
import { codecOf, type Compression } from '../block-pool/codec.js';
import { EiderError } from '../errors/eider-error.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { EncryptionKey } from '../encryption/encryption-key.js';
import { logPayloadKey, recordName } from '../repository/keys.js';
import { LOG_CHUNK, sealLogPart } from '../repository/sealed-log.js';
import type { WalBlock, WalRecordHead } from '../repository/log-record.js';
import type { BlockChanges } from './block-changes.js';
import type { SeenCommits } from './wal-tail.js';

const readAt = promisify(read);

/** A payload up to this is part of its record; a larger one is an object of its own, written before. */
const INLINE_MOST = 4 * 1024 * 1024;

/** What a record of commits holds, and its place. */
export interface StoredSegment {
  readonly wal: WalRecordHead['wal'];
  readonly blocks: readonly WalBlock[];
  readonly payload: WalRecordHead['payload'];
  /** The bytes that follow the head; empty where they are an object of their own. */
  readonly inline: Buffer;
}

/** Where a segment comes from and goes to. */
export interface SegmentSource {
  readonly number: number;
  readonly nonce: string;
  readonly descriptor: number;
  readonly seen: SeenCommits;
  readonly compression: Compression;
  readonly encryption: EncryptionKey | undefined;
  /** Undefined where no commit points at row groups. */
  readonly changes: BlockChanges | undefined;
}

/**
 * Reads the bytes of commits, then the blocks that they point at, and stores them where they are too large for a record.
 *
 * @throws EiderError BACKUP_IMAGE_CHANGED when the log is shorter than it was; STORE_*
 */
export async function storeSegment(
  store: ObjectStore,
  source: SegmentSource,
  signal?: AbortSignal,
): Promise<StoredSegment> {
  const { seen, number, nonce } = source;
  const contents = new SegmentContents(source, signal);
  const chunks = contents.chunks();
  const first = await upTo(chunks, INLINE_MOST);
  const wal = (): WalRecordHead['wal'] => ({
    length: seen.to - seen.from,
    stored: contents.walStored,
    sha256: contents.walHash,
  });
  if (first.done) return { wal: wal(), blocks: contents.blocks, payload: null, inline: first.bytes };
  const form = { compressed: source.compression === 'zstd', encrypted: source.encryption !== undefined };
  const key = logPayloadKey(number, nonce, form);
  const { bytes } = await store.upload(key, joined(first.bytes, chunks), signal === undefined ? {} : { signal });
  return { wal: wal(), blocks: contents.blocks, payload: { key, length: bytes }, inline: Buffer.alloc(0) };
}

/** The chunks of a segment, and what is known of it once they were read. */
class SegmentContents {
  walStored = 0;
  walHash = '';
  readonly blocks: WalBlock[] = [];

  constructor(
    private readonly source: SegmentSource,
    private readonly signal: AbortSignal | undefined,
  ) {}

  async *chunks(): AsyncGenerator<Buffer, void, void> {
    const { seen, descriptor, compression, encryption, changes, number, nonce } = this.source;
    const log = recordName(number, nonce);
    const codec = codecOf(compression);
    const hash = createHash('sha256');
    let index = 0;
    for (let at = seen.from; at < seen.to;) {
      this.signal?.throwIfAborted();
      const chunk = Buffer.allocUnsafe(Math.min(LOG_CHUNK, seen.to - at));
      const { bytesRead } = await readAt(descriptor, chunk, 0, chunk.length, at);
      if (bytesRead === 0)
        throw new EiderError('BACKUP_IMAGE_CHANGED', `The log became shorter than ${seen.to} bytes.`);
      at += bytesRead;
      const bytes = chunk.subarray(0, bytesRead);
      hash.update(bytes);
      const plain = Buffer.from(codec.encode(bytes));
      const part = { log, index: index++, isLast: at === seen.to };
      const frame = encryption === undefined ? plain : sealLogPart(encryption.bytes, part, plain);
      this.walStored += frame.length;
      yield frame;
    }
    this.walHash = hash.digest('hex');
    if (changes === undefined) return;
    for await (const { blocks, frames } of changes.changed(log, this.signal)) {
      this.blocks.push(...blocks);
      yield frames;
    }
  }
}

/** Chunks until there are more than `most` bytes; `done` where there are not. */
async function upTo(
  chunks: AsyncGenerator<Buffer, void, void>,
  most: number,
): Promise<{ done: boolean; bytes: Buffer }> {
  const parts: Buffer[] = [];
  let bytes = 0;
  while (bytes <= most) {
    const next = await chunks.next();
    if (next.done === true) return { done: true, bytes: Buffer.concat(parts) };
    parts.push(next.value);
    bytes += next.value.length;
  }
  return { done: false, bytes: Buffer.concat(parts) };
}

async function* joined(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  yield first;
  yield* rest;
}
