import type { Command } from 'commander';
import { z } from 'zod';
import { EiderError } from '../errors/eider-error.js';
import { type Position, positionSchema } from '../repository/position.js';
import type { RestorePlan } from '../restore/restore-plan.js';
import type { RestoreReport } from '../restore/restore-report.js';
import type { RestoreService } from '../restore/restore.service.js';
import { runCommand } from './session.js';
import { formatBytes, formatFields } from './table.js';

interface RestoreOptions {
  readonly to?: string;
  readonly at?: string;
  readonly position?: string;
  readonly atStart?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Adds the command that brings the database back. */
export function addRestoreCommand(program: Command): void {
  program
    .command('restore [name]')
    .description('restore a backup, or the newest commit where none is named, while the service is stopped')
    .option('--at <time>', 'the last commit that was there at this time, such as 2026-11-23T12:34:56.5Z')
    .option('--position <position>', 'the last commit up to a position: lineage/iteration/offset')
    .option('--to <file>', 'restore into a new file and leave the database as it is')
    .option('--at-start', 'do what a start would do: restore only where the repository holds something newer')
    .option('--dry-run', 'only tell what would be done')
    .option('--json', 'print JSON')
    .action(async (name: string | undefined, options: RestoreOptions) => {
      await runCommand(options, async ({ core, output }) => {
        refuseContradictions(name, options);
        if (options.atStart === true) {
          const { decision, restored } = await core.start.run();
          output.result({ decision, restored: restored ?? null }, () => `${decision.action}: ${decision.reason}`);
          return;
        }
        const restores = core.restores;
        const found = await restores.find(selectionOf(name, options));
        if (options.dryRun === true) {
          const plan = await restores.plan(found, options.to);
          output.result(plan, () => describePlan(plan));
          return;
        }
        const report =
          options.to === undefined
            ? await core.start.replaceLocal(found)
            : await core.offline.toFile(found, options.to);
        output.result(report, () => describeReport(report));
      });
    });
}

function selectionOf(
  name: string | undefined,
  { at, position }: RestoreOptions,
): Parameters<RestoreService['find']>[0] {
  if (name !== undefined) return { backup: name };
  if (at !== undefined) return { at: parseTime(at) };
  return position === undefined ? { latest: true } : { position: parsePosition(position) };
}

function parseTime(text: string): Date {
  const time = z.iso.datetime({ offset: true }).safeParse(text);
  if (time.success) return new Date(time.data);
  throw new EiderError(
    'REQUEST_INVALID',
    `--at takes a time such as 2026-11-23T12:34:56.5Z, not ${JSON.stringify(text)}.`,
  );
}

function parsePosition(text: string): Position {
  const [lineage, iteration, offset, more] = text.split('/');
  const position = positionSchema.safeParse({ lineage, iteration: Number(iteration), offset: Number(offset) });
  if (position.success && more === undefined) return position.data;
  throw new EiderError('REQUEST_INVALID', `--position takes lineage/iteration/offset, not ${JSON.stringify(text)}.`);
}

function refuseContradictions(name: string | undefined, { to, at, position, atStart, dryRun }: RestoreOptions): void {
  if ([name, at, position].filter((given) => given !== undefined).length > 1) {
    throw new EiderError('REQUEST_INVALID', 'Give a name, --at or --position, not several of them.');
  }
  if (atStart !== true) return;
  const beside = [name, to, at, position, dryRun].some((option) => option !== undefined);
  if (beside) throw new EiderError('REQUEST_INVALID', '--at-start takes no name and no other option but --json.');
}

function describePlan(plan: RestorePlan): string {
  return formatFields({
    backup: plan.backup,
    created: plan.createdAt,
    reaches: describePoint(plan),
    fetches: `${formatBytes(plan.bytesToFetch)} in ${plan.objects} objects`,
    local: describeLocal(plan),
    needs: `${formatBytes(plan.bytesNeeded)} on the disk, ${formatBytes(plan.bytesFree)} are free`,
    takes: `about ${plan.estimatedSeconds} s`,
    history: plan.continuesLineage ? 'goes on' : 'a new lineage begins; newer backups stay in the repository',
  });
}

function describePoint({ point }: RestorePlan): string | undefined {
  if (point === null) return undefined;
  const { position, committedAt, nextCommitAt, records, commits } = point;
  const at = committedAt === null ? 'the backup itself' : `the commit of ${committedAt}`;
  const next = nextCommitAt === null ? '' : `; the next one, of ${nextCommitAt}, is left out`;
  return `${at} (iteration ${position.iteration}, offset ${position.offset}), by ${commits} commits in ${records} records${next}`;
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
