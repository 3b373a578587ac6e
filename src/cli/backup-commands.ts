import { type Command, InvalidArgumentError, Option } from 'commander';
import { viewOf } from '../backup/backup-catalog.js';
import type { BackupRequest } from '../backup/backup-request.js';
import type { RetentionReport } from '../backup/retention.service.js';
import { VERIFY_MODES, type VerifyMode } from '../repository/note.js';
import { describeBackup, listBackups, PROVEN } from './backup-description.js';
import { OfflineDatabase } from './offline-database.js';
import { EXIT_STATUS } from './exit-status.js';
import { runCommand } from './session.js';
import { formatBytes, formatFields, formatTable } from './table.js';

interface JsonOption {
  readonly json?: boolean;
}

interface BackupOptions extends JsonOption {
  readonly label?: string;
  readonly pin?: boolean;
  readonly full?: boolean;
  readonly ifChanged?: boolean;
}

/** Adds the commands that take and look after backups. */
export function addBackupCommands(program: Command): void {
  program
    .command('backup')
    .description('take a backup of the database while the service is stopped')
    .option('--label <text>', 'a label for people; a labelled backup stays')
    .option('--pin', 'never remove this backup')
    .option('--full', 'store every block, whatever the newest backup holds')
    .addOption(
      // Where none is taken, nothing could be given the label or the pin.
      new Option('--if-changed', 'take none where the newest backup holds the same commits').conflicts([
        'label',
        'pin',
        'full',
      ]),
    )
    .option('--json', 'print JSON')
    .action(async (options: BackupOptions) => {
      await runCommand(options, async ({ core, output }) => {
        const { label, pin: pinned, full, ifChanged: onlyIfChanged } = options;
        const request: BackupRequest = { trigger: 'manual', label, pinned, full, onlyIfChanged };
        const outcome = await new OfflineDatabase(core).use(() => core.backups.create(request));
        if (outcome.created) return output.result(outcome.manifest, () => describeBackup(viewOf(outcome.manifest)));
        const newest = await core.catalog.unchanged(outcome.newest);
        output.result(
          newest,
          () => `nothing has changed since ${newest.name}: no backup was taken\n\n${describeBackup(newest)}`,
        );
      });
    });

  program
    .command('list')
    .description('list the backups, newest first')
    .option('--limit <number>', 'at most this many', positive, 50)
    .option('--cursor <name>', 'go on after this backup')
    .option('--json', 'print JSON')
    .action(async (options: JsonOption & { limit: number; cursor?: string }) => {
      await runCommand(options, async ({ core, output }) => {
        const page = await core.catalog.page({ limit: options.limit, cursor: options.cursor });
        output.result(page, () => (page.backups.length === 0 ? 'there are no backups' : listBackups(page.backups)));
      });
    });

  program
    .command('show <name>')
    .description('show everything about one backup')
    .option('--json', 'print JSON')
    .action(async (name: string, options: JsonOption) => {
      await runCommand(options, async ({ core, output }) => {
        const backup = await core.catalog.show(name);
        output.result(backup, () =>
          backup.source === 'eider'
            ? describeBackup(backup)
            : formatFields({ name: backup.name, created: backup.createdAt, stored: formatBytes(backup.bytes.stored) }),
        );
      });
    });

  program
    .command('verify <name>')
    .description('check a backup; exit status 3 when it is damaged')
    .addOption(
      new Option('--mode <mode>', 'its objects are there, every byte is read, or it is restored on trial')
        .choices(VERIFY_MODES)
        .default('full'),
    )
    .option('--json', 'print JSON')
    .action(async (name: string, options: JsonOption & { mode: VerifyMode }) => {
      await runCommand(options, async ({ core, output }) => {
        const report = await core.verification.verify(name, options.mode);
        output.result(report, () =>
          report.ok
            ? `${report.backup} ${PROVEN[report.mode]}${report.bytes === 0 ? '' : `: ${formatBytes(report.bytes)} checked`}`
            : `${report.backup} is DAMAGED:\n${report.damages.map(({ key, block, why }) => `  ${key}${block === undefined ? '' : ` block ${block}`}: ${why}`).join('\n')}`,
        );
        return report.ok ? EXIT_STATUS.done : EXIT_STATUS.unsound;
      });
    });

  program
    .command('retention')
    .description(
      'remove backups that are older than R2_BACKUP_RETENTION_DAYS, and most of those older than BACKUP_KEEP_ALL_HOURS',
    )
    .option('--dry-run', 'only tell what would be removed, and why each object stays or goes')
    .option('--json', 'print JSON')
    .action(async (options: JsonOption & { dryRun?: boolean }) => {
      await runCommand(options, async ({ core, output }) => {
        const report = await core.retention.run({ dryRun: options.dryRun ?? false });
        output.result(report, () => describeRetention(report));
      });
    });
}

function describeRetention({ backups, dryRun, objects = [] }: RetentionReport): string {
  const be = dryRun ? 'would be' : 'was';
  const table = formatTable(
    ['backup', be, 'because'],
    backups.map(({ name, keep, reason }) => [name, keep ? 'kept' : 'removed', reason]),
  );
  if (objects.length === 0) return table;
  const explained = formatTable(
    ['object', be, 'because', 'for'],
    objects.map(({ key, action, reason, for: name }) => [
      key,
      action === 'keep' ? 'kept' : 'removed',
      reason,
      name ?? '',
    ]),
  );
  return `${table}\n\n${explained}`;
}

function positive(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1 on.');
  return Number(text);
}
