#!/usr/bin/env node
import { Command } from 'commander';
import { addBackupCommands } from './cli/backup-commands.js';
import { addCheckCommands } from './cli/check-commands.js';
import { EXIT_STATUS } from './cli/exit-status.js';
import { addRestoreCommand } from './cli/restore-commands.js';
import { APPLICATION } from './runtime/application.js';
import { outliveOutput } from './runtime/outlive-output.js';

outliveOutput();
const program = new Command('eider')
  .description('Backs up and restores an embedded DuckDB database. The environment and .env tell it where.')
  .version(APPLICATION.version)
  .showHelpAfterError();
// Commands that exist already take over what is set here only if it is set before they are added.
program.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? EXIT_STATUS.done : EXIT_STATUS.usage));
addBackupCommands(program);
addRestoreCommand(program);
addCheckCommands(program);
await program.parseAsync();
