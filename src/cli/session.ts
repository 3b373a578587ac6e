import { checkConfiguration } from '../config/configuration.js';
import { loadEnvironmentFile } from '../config/environment-file.js';
import { isEiderError } from '../errors/eider-error.js';
import { Logger } from '../runtime/injection.js';
import { Core } from './core.js';
import { exitStatusFor } from './exit-status.js';
import { Output } from './output.js';

/** What a command gets to work with. */
export interface CommandSession {
  readonly core: Core;
  readonly output: Output;
}

/**
 * Runs a command on the core without HTTP and lifecycle: nothing is restored, opened or scheduled unless it says so.
 *
 * @param work - returns the exit status, or nothing for success
 */
export async function runCommand(
  options: { readonly json?: boolean },
  work: (session: CommandSession) => Promise<number | void>,
): Promise<void> {
  await runPlainCommand(options, async (output) => {
    loadEnvironmentFile();
    checkConfiguration(process.env);
    // Results go to the standard output; what the services log must not be mixed into them.
    Logger.overrideLogger(['error', 'fatal']);
    const core = await Core.create(process.env);
    try {
      return await work({ core, output });
    } finally {
      await core.close();
    }
  });
}

/** Runs a command that needs nothing but the environment. As `runCommand`. */
export async function runPlainCommand(
  options: { readonly json?: boolean },
  work: (output: Output) => Promise<number | void> | number | void,
): Promise<void> {
  const output = new Output(options.json === true);
  try {
    process.exitCode = (await work(output)) ?? 0;
  } catch (error) {
    output.failure(error);
    process.exitCode = exitStatusFor(isEiderError(error) ? error.code : undefined);
  }
}
