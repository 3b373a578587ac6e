import { Injectable } from '../runtime/injection.js';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { backupNameOf } from '../repository/keys.js';
import type { FoundBackup } from '../repository/repository.js';
import { nameOf } from './restore-report.js';
import { RestoreService } from './restore.service.js';

/** A restored database file, to be sent. */
export interface Download {
  /** Removes the file when it ends, however it ends. */
  readonly stream: Readable;
  readonly bytes: number;
  /** `<backup>.duckdb` */
  readonly fileName: string;
}

/** Hands out backups as database files: restored beside the database and checked first, so that what is sent opens. */
@Injectable()
export class BackupDownload {
  constructor(private readonly restores: RestoreService) {}

  /** The name that the file of a backup would have; nothing is fetched. Throws BACKUP_NOT_FOUND, MANIFEST_CORRUPT. */
  async fileName(name: string): Promise<string> {
    return fileNameOf(await this.restores.find({ backup: name }));
  }

  /**
   * @param signal - aborted when nobody waits for the file any more: what was fetched is removed
   * @throws EiderError BACKUP_NOT_FOUND and those of `RestoreService.prepare`
   */
  async open(name: string, signal: AbortSignal): Promise<Download> {
    const found = await this.restores.find({ backup: name });
    const copy = await this.restores.prepare(found, { signal, purpose: 'download' });
    try {
      signal.throwIfAborted();
      const { size } = await stat(copy.path);
      const stream = createReadStream(copy.path);
      stream.once('close', () => void this.restores.discard(copy));
      return { stream, bytes: size, fileName: fileNameOf(found) };
    } catch (error) {
      await this.restores.discard(copy);
      throw error;
    }
  }
}

function fileNameOf(found: FoundBackup): string {
  return `${backupNameOf(nameOf(found))}.duckdb`;
}
