import { DuckDBInstance } from '@duckdb/node-api';
import { createCipheriv } from 'node:crypto';
import { open } from 'node:fs/promises';
import { duckdbChecksum } from '../dist/duckdb-format/checksum.js';
import { parseFileHeader } from '../dist/duckdb-format/file-header.js';
import { BLOCK_SIZE, blockOffset, HEADER_SIZE, HEADERS_SIZE } from '../dist/duckdb-format/layout.js';
import { generate } from './generate.mjs';

/** The database that is inside of the large one, bytes. */
const REAL_BYTES = 40e6;
/** Blocks that are all written, from the first: one extent. What lies behind has runs in it. */
const DENSE = 4096;
/** A run of this many blocks is written in each so many. */
const RUN = { length: 40, every: 4096 };

/**
 * Makes a database of any size that takes up little of the disk: a small one whose header counts many more blocks. DuckDB opens
 * it, and takes the blocks for ones in use. The first gigabyte holds something all through, every further one a run of 40
 * blocks; the rest are holes, which read as zeros.
 *
 * @returns {Promise<number>} its size, bytes
 */
export async function makeSparse(path, bytes, seed = 1) {
  await generate(path, REAL_BYTES, seed);
  const blocks = Math.floor((bytes - HEADERS_SIZE) / BLOCK_SIZE);
  const size = blockOffset(blocks);
  const file = await open(path, 'r+');
  try {
    const first = await raiseBlockCount(file, blocks);
    await file.truncate(size);
    const content = blockContents(seed);
    for (let block = first; block < blocks; block++) {
      if (isWritten(block)) await file.write(content(block), 0, BLOCK_SIZE, blockOffset(block));
    }
    await file.sync();
  } finally {
    await file.close();
  }
  await expectToOpen(path, size);
  return size;
}

/** Commits a row, makes a checkpoint, and changes a few blocks in each gigabyte. */
export async function changeFew(path, seed = 2) {
  await inDatabase(path, (connection) =>
    connection.run(
      "INSERT INTO commits SELECT coalesce(max(id), 0) + 1, now()::TIMESTAMP, 'changed' FROM commits; CHECKPOINT",
    ),
  );
  const file = await open(path, 'r+');
  try {
    const { size } = await file.stat();
    const content = blockContents(seed);
    for (let block = DENSE - 3; blockOffset(block + 1) <= size; block += RUN.every) {
      await file.write(content(block), 0, BLOCK_SIZE, blockOffset(block));
    }
  } finally {
    await file.close();
  }
}

function isWritten(block) {
  return block < DENSE || block % RUN.every < RUN.length;
}

/** Blocks that cannot be compressed, and in turn those that can, to a half. */
function blockContents(seed) {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16));
  const random = (length) => cipher.update(Buffer.alloc(length));
  return (block) =>
    block % 2 === 0 ? random(BLOCK_SIZE) : Buffer.from(random(BLOCK_SIZE / 2).toString('hex'), 'latin1');
}

/** The header in force counts so many blocks from now on. Gives how many it counted. */
async function raiseBlockCount(file, blocks) {
  const headers = Buffer.alloc(HEADERS_SIZE);
  await file.read(headers, 0, HEADERS_SIZE, 0);
  const before = parseFileHeader(headers).header;
  if (blocks <= before.blockCount) throw new Error(`a sparse database has more than ${before.blockCount} blocks`);
  const inForce = [HEADER_SIZE, 2 * HEADER_SIZE].find(
    (offset) => headers.readBigUInt64LE(offset + 8) === BigInt(before.iteration),
  );
  const header = headers.subarray(inForce, inForce + HEADER_SIZE);
  header.writeBigUInt64LE(BigInt(blocks), 32);
  header.writeBigUInt64LE(duckdbChecksum(header.subarray(8)), 0);
  await file.write(header, 0, HEADER_SIZE, inForce);
  return before.blockCount;
}

async function expectToOpen(path, size) {
  await inDatabase(path, async (connection) => {
    const [[total]] = await (await connection.run('SELECT total_blocks FROM pragma_database_size()')).getRows();
    if (blockOffset(Number(total)) !== size)
      throw new Error(`DuckDB counts ${total} blocks in a file of ${size} bytes`);
  });
}

async function inDatabase(path, work) {
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  await work(connection);
  connection.closeSync();
  instance.closeSync();
}
