import type { AnyBackupView, BackupView } from '../backup/backup-catalog.js';
import type { VerifyMode } from '../repository/note.js';
import { formatBytes, formatFields, formatTable } from './table.js';

/** What a check has shown of a backup that passed it. */
export const PROVEN: Readonly<Record<VerifyMode, string>> = {
  quick: 'has all its objects',
  full: 'is whole',
  restore: 'was restored on trial and is whole',
};

/** The backups as a table. */
export function listBackups(backups: readonly AnyBackupView[]): string {
  return formatTable(
    ['name', 'created', 'kind', 'trigger', 'database', 'stored', 'added', 'notes'],
    backups.map((backup) => {
      switch (backup.source) {
        case 'eider':
          return [
            backup.name,
            backup.createdAt,
            backup.kind,
            backup.trigger,
            formatBytes(backup.database.size),
            formatBytes(backup.bytes.stored),
            formatBytes(backup.bytes.added),
            notesOf(backup),
          ];
        case 'foreign':
          return [
            backup.name,
            backup.createdAt,
            'file',
            '-',
            '-',
            formatBytes(backup.bytes.stored),
            '-',
            'no manifest',
          ];
        case 'damaged':
          return [backup.name, backup.createdAt, '-', '-', '-', '-', '-', `DAMAGED: ${backup.code}`];
      }
    }),
  );
}

/** Everything about one backup, a line each. */
export function describeBackup(backup: BackupView): string {
  const { lineage, iteration, offset } = backup.position;
  return formatFields({
    name: backup.name,
    created: backup.createdAt,
    kind: backup.kind,
    trigger: backup.trigger,
    label: backup.label,
    pinned: backup.pinned,
    fork: backup.fork,
    'last check': checkOf(backup),
    position: `iteration ${iteration}, offset ${offset}, lineage ${lineage}`,
    parent: backup.parent,
    database: `${backup.database.name}, ${formatBytes(backup.database.size)}, DuckDB ${backup.database.duckdbVersion}, schema ${backup.database.schemaVersion ?? '-'}`,
    stored: `${formatBytes(backup.bytes.stored)}, ${formatBytes(backup.bytes.added)} added`,
    encrypted: backup.encryption === null ? null : `under the key ${backup.encryption.keyId}`,
    took: `${backup.durations.totalMs} ms`,
    host: backup.host,
    tables: backup.tables.map(({ name, rows, exact }) => `${name} ${exact ? '' : '~'}${rows}`).join(', '),
  });
}

function notesOf({ verified, pinned, fork, label }: BackupView): string {
  const check = verified === null ? '' : !verified.ok ? 'DAMAGED' : verified.mode === 'restore' ? 'proven' : '';
  return [check, pinned ? 'pinned' : '', fork ? 'fork' : '', label ?? ''].filter(Boolean).join(', ');
}

function checkOf({ verified }: BackupView): string | undefined {
  if (verified === null) return undefined;
  const result = verified.ok ? PROVEN[verified.mode] : `is DAMAGED (${verified.mode}): ${verified.why ?? ''}`;
  return `${result}, at ${verified.at}`;
}
