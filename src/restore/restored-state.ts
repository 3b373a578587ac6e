import { randomUUID } from 'node:crypto';
import { newLineage } from '../lineage/lineage.js';
import type { LineageState } from '../lineage/state-file.js';
import { comparePositions, type FilePosition } from '../duckdb-format/file-position.js';
import type { FoundBackup } from '../repository/repository.js';

/** The file that a restore made. */
export interface RestoredFile {
  readonly identifier: string;
  readonly position: FilePosition;
}

/**
 * The state of a restored database. Pure but for the new UUIDs.
 *
 * The newest backup, or the newest point behind it, goes on in its own history. Any other one begins a new lineage: what came after it stays in the
 * repository, known (`head`) and superseded.
 *
 * @param newest - the newest backup of the main history when the restore ends
 */
export function stateAfterRestore(found: FoundBackup, file: RestoredFile, newest: string | undefined): LineageState {
  const fresh = newLineage(file.identifier);
  const head = newest ?? null;
  if (found.kind === 'foreign') return { ...fresh, head };
  const { manifest, point } = found;
  const isNewest = point === undefined ? manifest.name === newest : point.isLatest;
  const reached = point?.position ?? manifest.position;
  if (manifest.fork || !isNewest) {
    return { ...fresh, epoch: manifest.epoch, log: manifest.log, lineageParent: reached, head };
  }
  const { lineage } = manifest.position;
  return {
    ...fresh,
    lineage,
    lineageParent: manifest.lineageParent,
    epoch: manifest.epoch,
    writer: randomUUID(),
    log: manifest.log,
    head,
    restored: { iteration: file.position.iteration, offset: file.position.offset },
    // What the log adds is in no backup yet.
    saved: comparePositions(reached, manifest.position) === 0 ? { lineage, ...file.position } : null,
  };
}
