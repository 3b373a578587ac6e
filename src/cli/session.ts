import { Logger, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { BlockPool } from '../block-pool/block-pool.js';
import { checkConfiguration } from '../config/configuration.js';
import { loadEnvironmentFile } from '../config/environment-file.js';
import { CoreModule } from '../core.module.js';
import { isEiderError } from '../errors/eider-error.js';
import { OBJECT_STORE, type ObjectStore } from '../object-store/object-store.js';
import { exitStatusFor } from './exit-status.js';
import { Output } from './output.js';

/** What a command gets to work with. */
export interface CommandSession {
  readonly context: INestApplicationContext;
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
    const context = await NestFactory.createApplicationContext(CoreModule, { logger: false, abortOnError: false });
    try {
      return await work({ context, output });
    } finally {
      await context.get(BlockPool).close();
      await context.get<ObjectStore>(OBJECT_STORE).close();
      await context.close();
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
