import type { Command } from 'commander';
import { checkConfiguration, CONCERNS } from '../config/configuration.js';
import { unknownVariables } from '../config/unknown-variables.js';
import { loadEnvironmentFile } from '../config/environment-file.js';
import { EXIT_STATUS } from './exit-status.js';
import { runCommand, runPlainCommand } from './session.js';
import { formatTable } from './table.js';

interface JsonOption {
  readonly json?: boolean;
}

/** Adds the commands that find out whether Eider will work here. */
export function addCheckCommands(program: Command): void {
  program
    .command('config')
    .description('look at the configuration')
    .command('check')
    .description('check every variable; exit status 2 when one is wrong')
    .option('--json', 'print JSON')
    .action(async (options: JsonOption) => {
      await runPlainCommand(options, (output) => {
        loadEnvironmentFile();
        checkConfiguration(process.env);
        const variables = effectiveVariables();
        const ignored = unknownVariables(process.env);
        output.result({ valid: true, variables, ignored }, () =>
          [
            formatTable(
              ['variable', 'value', 'from'],
              variables.map(({ name, value, set }) => [name, value, set ? 'the environment or .env' : 'the default']),
            ),
            ...ignored.map((name) => `${name} is no variable of Eider: it is ignored`),
          ].join('\n'),
        );
      });
    });

  program
    .command('doctor')
    .description('try everything that Eider needs of the store; exit status 3 when something fails')
    .option('--json', 'print JSON')
    .action(async (options: JsonOption) => {
      await runCommand(options, async ({ core, output }) => {
        // It knows the AWS SDK, which other commands need for a bucket only.
        const { examineStore } = await import('../object-store/doctor.js');
        const examination = await examineStore(core.store);
        output.result(examination, () =>
          [
            examination.store,
            '',
            formatTable(
              ['check', 'result', 'finding'],
              examination.checks.map(({ name, result, finding }) => [name, result, finding]),
            ),
            ...examination.checks.flatMap(({ name, advice }) => (advice === undefined ? [] : [`\n${name}: ${advice}`])),
          ].join('\n'),
        );
        return examination.usable ? EXIT_STATUS.done : EXIT_STATUS.unsound;
      });
    });
}

/** Every variable with its value as it is set, or how it is derived; secrets are not shown. */
function effectiveVariables(): { name: string; value: string; set: boolean }[] {
  const documented = new Map(CONCERNS.flatMap((concern) => [...concern.variables()]));
  return [...documented].map(([name, { default: fallback, secret }]) => {
    const given = process.env[name]?.trim() ?? '';
    const set = given !== '';
    return { name, value: !set ? fallback : secret === true ? '(secret)' : given, set };
  });
}
