import type { FileRange } from '../block-pool/block-tasks.js';
import { BLOCK_SIZE, HEADERS_SIZE } from '../duckdb-format/layout.js';
import { EiderError } from '../errors/eider-error.js';
import type { ExtentStore } from './extent-store.js';
import type { Frame, Manifest } from './manifest.js';

/** A frame, and where its block belongs in the database file. */
export interface PlacedFrame extends Frame {
  /** -1 for the headers. */
  readonly block: number;
  readonly target: FileRange;
}

/** The frames of a backup's database file in file order, the headers first. Throws EXTENT_CORRUPT, BACKUP_DAMAGED, STORE_*. */
export async function* imageFrames(
  manifest: Manifest,
  extents: ExtentStore,
  signal?: AbortSignal,
): AsyncGenerator<PlacedFrame, void, void> {
  const { size, header } = manifest.database;
  yield { ...header, block: -1, target: { offset: 0, length: HEADERS_SIZE } };
  let block = 0;
  for await (const extent of extents.of(manifest, signal)) {
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

/** Bytes of the database file that some frames make up. */
export function bytesOfBlocks(frames: readonly PlacedFrame[]): number {
  return frames.reduce((sum, { target }) => sum + target.length, 0);
}

/** Rows of `count` neighbours, the last one shorter. */
export async function* inRowsOf<T>(count: number, items: AsyncIterable<T>): AsyncGenerator<T[], void, void> {
  let row: T[] = [];
  for await (const item of items) {
    row.push(item);
    if (row.length < count) continue;
    yield row;
    row = [];
  }
  if (row.length > 0) yield row;
}

/** As `inRowsOf`, of what is at hand. Pure. */
export function rowsOf<T>(count: number, items: readonly T[]): T[][] {
  const rows: T[][] = [];
  for (let start = 0; start < items.length; start += count) rows.push(items.slice(start, start + count));
  return rows;
}
