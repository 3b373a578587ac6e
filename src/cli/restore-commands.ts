import type { Command } from 'commander';
import { EiderError } from '../errors/eider-error.js';
import { RestoreAtStart } from '../restore/restore-at-start.js';
import type { RestorePlan } from '../restore/restore-plan.js';
import { type RestoreReport, RestoreService } from '../restore/restore.service.js';
import { runCommand } from './session.js';
import { formatBytes, formatFields } from './table.js';

interface RestoreOptions {
  readonly to?: string;
  readonly atStart?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Adds the command that brings the database back. */
export function addRestoreCommand(program: Command): void {
  program
    .command('restore [name]')
    .description('restore a backup, the newest where no name is given, while the service is stopped')
    .option('--to <file>', 'restore into a new file and leave the database as it is')
    .option('--at-start', 'do what a start would do: restore only where the repository holds something newer')
    .option('--dry-run', 'only tell what would be done')
    .option('--json', 'print JSON')
    .action(async (name: string | undefined, options: RestoreOptions) => {
      await runCommand(options, async ({ context, output }) => {
        refuseContradictions(name, options);
        if (options.atStart === true) {
          const { decision, restored } = await context.get(RestoreAtStart).run();
          output.result({ decision, restored: restored ?? null }, () => `${decision.action}: ${decision.reason}`);
          return;
        }
        const restores = context.get(RestoreService);
        const found = await restores.find(name === undefined ? { latest: true } : { backup: name });
        if (options.dryRun === true) {
          const plan = await restores.plan(found, options.to);
          output.result(plan, () => describePlan(plan));
          return;
        }
        const report =
          options.to === undefined
            ? await context.get(RestoreAtStart).replaceLocal(found)
            : await restores.toFile(found, options.to);
        output.result(report, () => describeReport(report));
      });
    });
}

function refuseContradictions(name: string | undefined, { to, atStart, dryRun }: RestoreOptions): void {
  if (atStart !== true) return;
  const beside = [name, to, dryRun].some((option) => option !== undefined);
  if (beside) throw new EiderError('REQUEST_INVALID', '--at-start takes no name and neither --to nor --dry-run.');
}

function describePlan(plan: RestorePlan): string {
  return formatFields({
    backup: plan.backup,
    created: plan.createdAt,
    fetches: `${formatBytes(plan.bytesToFetch)} in ${plan.objects} objects`,
    local: describeLocal(plan),
    needs: `${formatBytes(plan.bytesNeeded)} on the disk, ${formatBytes(plan.bytesFree)} are free`,
    takes: `about ${plan.estimatedSeconds} s`,
    history: plan.continuesLineage ? 'goes on' : 'a new lineage begins; newer backups stay in the repository',
  });
}

function describeReport(report: RestoreReport): string {
  return formatFields({
    restored: report.backup,
    to: report.database,
    size: formatBytes(report.bytes),
    fetched: formatBytes(report.fetchedBytes),
    local: describeLocal(report),
    took: `${report.durationMs} ms`,
    'before it': report.restorePoint ?? 'nothing',
  });
}

/** How much of the file need not be fetched. */
function describeLocal({ blocks, localBlocks }: Pick<RestorePlan, 'blocks' | 'localBlocks'>): string {
  return blocks === null ? 'nothing' : `${localBlocks} of ${blocks} blocks`;
}
