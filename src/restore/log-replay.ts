import { createHash } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { codecOf } from '../block-pool/codec.js';
import { reading } from '../database/inspect.js';
import { blockOffset } from '../duckdb-format/layout.js';
import { parseWalHeader, WAL_HEADER_MOST, walkWal } from '../duckdb-format/wal.js';
import { inOrder } from '../block-pool/in-order.js';
import { EiderError, isEiderError, messageOf } from '../errors/eider-error.js';
import { systemCode } from '../errors/system-error.js';
import { ReadAhead } from '../repository/read-ahead.js';
import { framePlace } from '../encryption/places.js';
import { unseal } from '../encryption/seal.js';
import { recordName } from '../repository/keys.js';
import { openLog } from '../repository/sealed-log.js';
import { openHashes, recordKey } from '../repository/sealed-record.js';
import { decompressor } from '../repository/decompress.js';
import { logRecordCorrupt, type LogRecord, type WalRecordHead } from '../repository/log-record.js';
import type { Repository } from '../repository/repository.js';
import { writeFully } from '../runtime/write-fully.js';
import { type RestorePoint, storedBytesOf } from '../repository/point-in-time.js';
import { LocalRecords } from './local-records.js';
import type { LocalSource } from './local-source.js';

/** Puts the commits of the log on a fetched backup, so that DuckDB replays them up to a point. */
export class LogReplay {
  constructor(private readonly repository: Repository) {}

  /**
   * Writes the blocks that the commits point at into the database file, and their bytes into its log, which ends at the
   * point then.
   *
   * @param path - the fetched backup; its log lies beside it where it has one
   * @param source - the database of this machine, where it may hold some of them
   * @returns how many bytes of records were read from the store
   * @throws EiderError LOG_RECORD_CORRUPT, LOG_RECORD_MISSING, STORE_*
   */
  async apply(point: RestorePoint, path: string, source?: LocalSource, signal?: AbortSignal): Promise<number> {
    const { records, position, payloads } = point;
    const { keyring } = this.repository;
    const main = await open(path, 'r+');
    const wal = await open(`${path}.wal`, 'a+').then(async (file) => {
      await file.close();
      return open(`${path}.wal`, 'r+');
    });
    const local = await LocalRecords.open(source);
    let fetched = storedBytesOf(records);
    try {
      const ahead = new ReadAhead();
      const read = async (head: WalRecordHead): Promise<LogRecord> => {
        const record = await this.#record(head, payloads.get(head.number), signal);
        ahead.saw(record.payload.length);
        return record;
      };
      for await (const record of inOrder(records, ahead.width, read)) {
        const { head } = record;
        if (head.kind !== 'wal') continue;
        // A small one came with its head.
        const isHere = head.payload !== null && (await local?.copy(openHashes(head, keyring), { main, wal })) === true;
        if (isHere) fetched -= storedBytesOf([head]);
        else await this.#applyRecord(head, record, main, wal, signal);
      }
      await wal.truncate(position.offset);
      // Without records nothing was written into it here.
      if (records.length > 0) await main.sync();
      await wal.sync();
    } finally {
      await main.close();
      await wal.close();
      await local?.close();
    }
    if (position.offset === 0) await rm(`${path}.wal`, { force: true });
    else await cutAtCommit(`${path}.wal`, position.offset);
    return fetched;
  }

  /** A record whose payload was not kept is read again. */
  async #record(head: WalRecordHead, payload: Buffer | undefined, signal: AbortSignal | undefined): Promise<LogRecord> {
    if (payload !== undefined || head.payload !== null) return { head, payload: payload ?? Buffer.alloc(0) };
    const record = await this.repository.log.read(head.number, optional(signal));
    if (record?.head.nonce === head.nonce) return record;
    throw new EiderError('LOG_RECORD_MISSING', `Record ${head.number} of the log is missing.`, {
      details: { record: head.number },
    });
  }

  async #applyRecord(
    sealed: WalRecordHead,
    record: LogRecord,
    main: FileHandle,
    wal: FileHandle,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { keyring } = this.repository;
    const head = openHashes(sealed, keyring);
    const key = recordKey(head, keyring)?.bytes;
    const name = recordName(head.number, head.nonce);
    const damaged = (why: string, cause?: unknown): Error => logRecordCorrupt(head.number, why, cause);
    const codec = codecOf(head.compression);
    let payload: Readable | undefined;
    try {
      payload = await this.#payload(head, record, signal);
      const reader = new PayloadReader(payload);
      const hash = createHash('sha256');
      let at = head.from;
      const stored = Readable.from(reader.take(head.wal.stored));
      const write = async (chunks: AsyncIterable<Uint8Array>): Promise<void> => {
        for await (const chunk of chunks) {
          hash.update(chunk);
          await writeFully(wal, Buffer.from(chunk), at);
          at += chunk.length;
        }
      };
      if (key === undefined) {
        await pipeline(stored, decompressor(head.compression === 'zstd' ? 'zstd' : 'plain'), write);
      } else await pipeline(stored, (chunks: AsyncIterable<Uint8Array>) => openLog(chunks, key, name, codec), write);
      if (at !== head.to || hash.digest('hex') !== head.wal.sha256)
        throw new Error('its commits do not match their SHA-256');
      for (const { block, stored, length, sha256 } of head.blocks) {
        const frame = await collect(reader.take(stored));
        const content = codec.decode(key === undefined ? frame : unseal(key, framePlace(name, block), frame));
        const found = createHash('sha256').update(content).digest('hex');
        if (content.byteLength !== length || found !== sha256)
          throw new Error(`block ${block} does not match its SHA-256`);
        await writeFully(main, Buffer.from(content), blockOffset(block));
      }
    } catch (error) {
      signal?.throwIfAborted();
      // A disk that is full, or a store that does not answer, says nothing of the record.
      if (isOther(error)) throw error;
      throw damaged(`cannot be applied: ${messageOf(error)}`, error);
    } finally {
      payload?.destroy();
    }
  }

  async #payload(head: WalRecordHead, record: LogRecord, signal: AbortSignal | undefined): Promise<Readable> {
    if (head.payload === null) return Readable.from([record.payload]);
    const { stream } = await this.repository.store.open(head.payload.key, optional(signal));
    return stream;
  }
}

/** Reads a stream piece by piece. */
class PayloadReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next bytes. Throws where there are fewer. */
  async *take(length: number): AsyncGenerator<Buffer, void, void> {
    for (let left = length; left > 0;) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next();
        if (next.done === true) throw new Error('it ends too early');
        this.#rest = next.value;
        continue;
      }
      const part = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }
}

async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

/** A position that is given by hand need not be that of a commit: a torn end would bring back what was never committed. */
async function cutAtCommit(path: string, offset: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const read = reading(file.fd);
    const start = parseWalHeader(read(0, Math.min(offset, WAL_HEADER_MOST)))?.end ?? offset;
    const { lastCommit } = walkWal(read, start, offset);
    await file.truncate(lastCommit);
    await file.sync();
    if (lastCommit > 0) return;
  } finally {
    await file.close();
  }
  await rm(path, { force: true });
}

/** An error of the local disk, or of the store other than that an object is missing or damaged. */
function isOther(error: unknown): boolean {
  if (isEiderError(error)) return !isEiderError(error, 'STORE_NOT_FOUND') && !isEiderError(error, 'STORE_CORRUPT');
  return /^E[A-Z]+$/.test(systemCode(error) ?? '');
}

function optional(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
