import { Command } from 'commander';
import { APPLICATION } from '../runtime/application.js';
import { addBackupCommands } from './backup-commands.js';
import { addCheckCommands } from './check-commands.js';
import { EXIT_STATUS } from './exit-status.js';
import { addKeyCommands } from './key-commands.js';
import { addRestoreCommand } from './restore-commands.js';

/** The command line with all its commands. docs/cli.md describes it. */
export function createProgram(): Command {
  const program = new Command('eider')
    .description('Backs up and restores an embedded DuckDB database. The environment and .env tell it where.')
    .version(APPLICATION.version)
    .showHelpAfterError();
  // Commands that exist already take over what is set here only if it is set before they are added.
  program.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? EXIT_STATUS.done : EXIT_STATUS.usage));
  addBackupCommands(program);
  addRestoreCommand(program);
  addCheckCommands(program);
  addKeyCommands(program);
  return program;
}
