import { Logger } from '../runtime/injection.js';
import { rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EiderError, messageOf } from '../errors/eider-error.js';
import { makeFolder } from '../runtime/sync-folder.js';
import { exists } from './database-files.js';
import { inspectDatabaseFile } from './inspect.js';
import { upgradeInPlace } from './storage-upgrade.js';
import { cutTornLogs } from './torn-log.js';

const logger = new Logger('Database');

/**
 * Makes sure that DuckDB can open the database, and that opening it destroys nothing.
 *
 * @returns whether the database is to be created
 * @throws EiderError DATABASE_*
 */
export async function prepareFile(path: string, now: Date): Promise<'existing' | 'new'> {
  await makeFolder(dirname(path)).catch((error: unknown) => {
    throw new EiderError('DATABASE_PATH_INVALID', `The folder of ${path} cannot be made: ${messageOf(error)}`, {
      cause: error,
      details: { path },
    });
  });
  const facts = await inspectDatabaseFile(path);
  switch (facts.kind) {
    case 'refused':
    case 'unreadable':
      throw facts.error;
    case 'missing':
      await keepOrphanedLogs(path, now);
      return 'new';
    case 'ok':
      for (const log of await cutTornLogs(path)) {
        logger.warn(`a crash left the beginning of a transaction that was never committed in ${log}; it was cut off`);
      }
      if (await upgradeInPlace(path, facts.header, now)) {
        logger.log(
          'the file was upgraded to a storage version that carries an identity; the original is kept beside it',
        );
      }
      return 'existing';
  }
}

/**
 * DuckDB deletes a log whose main file is missing (`SingleFileStorageManager::LoadDatabase`). It may hold the newest
 * commits of a database that can still be restored, so it is renamed.
 */
async function keepOrphanedLogs(path: string, now: Date): Promise<void> {
  const time = now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  for (const log of [`${path}.wal`, `${path}.wal.checkpoint`]) {
    if (!(await exists(log))) continue;
    const kept = `${log}.orphaned-${time}`;
    await rename(log, kept);
    logger.warn(`${log} was there without its database; it was renamed to ${kept}`);
  }
}
