import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { BlockPool } from '../block-pool/block-pool.js';
import { inOrder } from '../block-pool/in-order.js';
import { BLOCK_SIZE, HEADERS_SIZE } from '../duckdb-format/layout.js';
import { inspectDatabaseFile } from '../database/inspect.js';
import { isEiderError, messageOf } from '../errors/eider-error.js';
import { isMissing } from '../errors/system-error.js';
import { readState } from '../lineage/state-file.js';
import type { Extent } from '../repository/extent.js';
import { keyOf } from '../repository/backup-key.js';
import { logHashOf } from '../repository/sealed-facts.js';
import type { Manifest } from '../repository/manifest.js';
import { comparePositions, type FilePosition } from '../duckdb-format/file-position.js';
import type { Repository } from '../repository/repository.js';
import type { LocalFacts, RemoteFacts } from './start-decision.js';

/** What a start finds in the repository, and the newest manifest where there is one. */
export interface RemoteFindings {
  readonly facts: RemoteFacts;
  readonly newest: Manifest | undefined;
}

/**
 * Looks into the repository. Only a store that cannot be reached counts as such: wrong credentials, a missing bucket, a
 * repository of somebody else, a key that is missing are thrown, since waiting would not mend them.
 */
export async function lookRemote(repository: Repository): Promise<RemoteFindings> {
  try {
    await repository.inspect();
    const listing = await repository.list();
    const newest = await repository.newest(listing.backups);
    if (newest !== undefined) {
      keyOf(newest, repository.keyring);
      const names = listing.backups.map(({ name }) => name);
      return { newest, facts: backupFacts(newest, await lastShipped(repository, newest), names) };
    }
    const foreign = listing.foreign[0];
    const facts: RemoteFacts =
      foreign === undefined ? { kind: 'empty' } : { kind: 'foreign', name: foreign.name, createdAt: foreign.createdAt };
    return { newest, facts };
  } catch (error) {
    if (isEiderError(error, 'MANIFEST_CORRUPT') && typeof error.details['backup'] === 'string') {
      return { newest: undefined, facts: { kind: 'damaged', name: error.details['backup'], why: error.message } };
    }
    const transient = isEiderError(error, 'STORE_UNAVAILABLE') || isEiderError(error, 'STORE_THROTTLED');
    if (!transient) throw error;
    return { newest: undefined, facts: { kind: 'unreachable', why: messageOf(error) } };
  }
}

function backupFacts(newest: Manifest, shipped: FilePosition, names: readonly string[]): RemoteFacts {
  const { name, position, writer, log, database } = newest;
  return { kind: 'backups', newest: { name, position, writer, log, identifier: database.identifier, shipped }, names };
}

/** The last commit of the newest backup's lineage that is in the log behind it; its own where there is none. */
async function lastShipped({ log }: Repository, { position, log: since }: Manifest): Promise<FilePosition> {
  for (let number = await log.last(since); number > since; number--) {
    const head = (await log.read(number))?.head;
    if (head?.kind === 'wal' && head.lineage === position.lineage)
      return { iteration: head.iteration, offset: head.to };
  }
  return position;
}

/**
 * Looks at the file before DuckDB opens it.
 *
 * @throws EiderError for what no restore may paper over: a folder, a locked file, a newer or encrypted database
 */
export async function lookLocal(
  path: string,
  newest: Manifest | undefined,
  repository: Repository,
  pool: BlockPool,
): Promise<LocalFacts> {
  const facts = await inspectDatabaseFile(path);
  switch (facts.kind) {
    case 'missing':
      return { kind: 'missing' };
    case 'unreadable':
      return { kind: 'unreadable', why: facts.error.message };
    case 'refused':
      throw facts.error;
    case 'ok': {
      const { identifier } = facts.header;
      const state = await readState(path);
      const own = state?.identifier === identifier ? state : undefined;
      const equal =
        own === undefined && newest !== undefined && comparePositions(facts.position, newest.position) >= 0
          ? facts.position.iteration === newest.position.iteration &&
            (await equalsBackup(path, newest, repository, pool))
          : false;
      return {
        kind: 'database',
        identifier,
        position: facts.position,
        modifiedAt: await modifiedAt(path),
        state: own,
        equalsNewest: equal,
      };
    }
  }
}

async function modifiedAt(path: string): Promise<Date> {
  const main = await stat(path);
  try {
    const wal = await stat(`${path}.wal`);
    return wal.mtime > main.mtime ? wal.mtime : main.mtime;
  } catch {
    return main.mtime;
  }
}

/**
 * Whether a closed database file holds exactly the blocks of a backup, and its log begins with the log of the backup.
 *
 * Free blocks count, too: bulk inserts that were not committed may differ, and then the answer is no, which only asks
 * the operator one question too many.
 */
async function equalsBackup(
  path: string,
  manifest: Manifest,
  repository: Repository,
  pool: BlockPool,
): Promise<boolean> {
  if (manifest.database.size !== (await stat(path)).size) return false;
  const file = await open(path, 'r');
  try {
    const header = await pool.hash({ descriptor: file.fd, ranges: [{ offset: 0, length: HEADERS_SIZE }] });
    if (header.sha256[0] !== manifest.database.header.sha256) return false;
    for await (const equal of inOrder(repository.extents.of(manifest), 1, (extent) =>
      equalExtent(file.fd, extent, manifest, pool),
    )) {
      if (!equal) return false;
    }
    const { wal } = manifest;
    if (wal === null) return true;
    return await beginsWithLog(`${path}.wal`, wal.length, logHashOf(manifest, wal, repository.keyring));
  } finally {
    await file.close();
  }
}

async function beginsWithLog(path: string, length: number, sha256: string): Promise<boolean> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { end: length - 1 })) hash.update(chunk as Buffer);
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  return hash.digest('hex') === sha256;
}

async function equalExtent(descriptor: number, extent: Extent, manifest: Manifest, pool: BlockPool): Promise<boolean> {
  const ranges = extent.frames.map((_, index) => {
    const offset = HEADERS_SIZE + (extent.first + index) * BLOCK_SIZE;
    return { offset, length: Math.min(BLOCK_SIZE, manifest.database.size - offset) };
  });
  const { sha256 } = await pool.hash({ descriptor, ranges });
  return extent.frames.every((frame, index) => frame.sha256 === sha256[index]);
}
