import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { reading } from '../database/inspect.js';
import { blockOffset } from '../duckdb-format/layout.js';
import type { WalRecordHead } from '../repository/log-record.js';
import { writeFully } from '../runtime/write-fully.js';
import { type LocalSource, openForReading } from './local-source.js';

/** Bytes that are copied at a time. */
const STEP = 1024 * 1024;

/** Where the commits of records are written. */
export interface ReplayTarget {
  readonly main: FileHandle;
  readonly wal: FileHandle;
}

/**
 * What the database of this machine holds of records: a local file that is behind by some commits has the log up to there,
 * and only what comes after it is fetched. Nothing is believed: the bytes that are written are the ones that were hashed.
 */
export class LocalRecords {
  private constructor(
    private readonly main: LocalSource,
    private readonly wal: LocalSource,
  ) {}

  /** Undefined where there is no log, or where this process has the database open: its descriptors are not to be closed. */
  static async open(main: LocalSource | undefined): Promise<LocalRecords | undefined> {
    if (main === undefined || main.inUse) return undefined;
    const wal = await openForReading(`${main.path}.wal`);
    return wal && new LocalRecords(main, wal);
  }

  /**
   * Copies a record's commits and blocks from here.
   *
   * @param head - with its hashes opened
   * @returns false where something of it is not here: what was written is to be written again
   */
  async copy({ from, to, wal, blocks }: WalRecordHead, target: ReplayTarget): Promise<boolean> {
    const log = here(this.wal);
    const hash = createHash('sha256');
    for (let at = from; at < to; at += STEP) {
      const bytes = log(at, Math.min(STEP, to - at));
      hash.update(bytes);
      await writeFully(target.wal, bytes, at);
    }
    if (hash.digest('hex') !== wal.sha256) return false;
    const file = here(this.main);
    for (const { block, length, sha256 } of blocks) {
      const bytes = file(blockOffset(block), length);
      if (createHash('sha256').update(bytes).digest('hex') !== sha256) return false;
      await writeFully(target.main, bytes, blockOffset(block));
    }
    return true;
  }

  async close(): Promise<void> {
    await this.wal.close();
  }
}

/** Reads at positions; nothing where the disk fails, since the store has it all. */
function here({ descriptor }: LocalSource): (position: number, length: number) => Buffer {
  const read = reading(descriptor);
  return (position, length) => {
    try {
      return read(position, length);
    } catch {
      return Buffer.alloc(0);
    }
  };
}
