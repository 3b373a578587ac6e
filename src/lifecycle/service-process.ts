import type { NestExpressApplication } from '@nestjs/platform-express';
import { setTimeout as wait } from 'node:timers/promises';
import { checkConfiguration } from '../config/configuration.js';
import { loadEnvironmentFile } from '../config/environment-file.js';
import { serviceConcern } from '../config/service.config.js';
import { isEiderError, messageOf } from '../errors/eider-error.js';
import { createApplication } from '../app.factory.js';
import { EXIT, exitStatusOf, onStopSignal, type StopSignal } from './process-signals.js';
import { ShutdownService } from './shutdown.service.js';
import { StartupService } from './startup.service.js';

/**
 * The life of the service: check the configuration, restore, open, serve, and end at a signal.
 *
 * Nest's shutdown hooks are not used: they have no deadline, swallow errors, and would take the last backup while the
 * start-up restore is still running.
 */
export async function runService(): Promise<void> {
  let serving: NestExpressApplication | undefined;
  onStopSignal((signal) => {
    if (serving === undefined) leaveWhileStarting(signal);
    else void stop(serving, signal);
  });
  try {
    loadEnvironmentFile();
    checkConfiguration(process.env);
    const app = await createApplication();
    await app.get(StartupService).run();
    const { host, port } = serviceConcern.parse(process.env);
    await app.listen(port, host);
    serving = app;
    process.stdout.write(`${greeting(await app.getUrl())}\n`);
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`);
    process.exit(EXIT.failed);
  }
}

/** A restore under way writes beside the database only, and a swap is taken back by the next start. */
function leaveWhileStarting(signal: StopSignal): void {
  process.stderr.write(`${signal} during the start: nothing was replaced; the next start begins again\n`);
  process.exit(exitStatusOf(signal));
}

async function stop(app: NestExpressApplication, signal: StopSignal): Promise<void> {
  const deadline = new AbortController();
  const { shutdownTimeoutMs } = serviceConcern.parse(process.env);
  process.stdout.write(`${signal}: shutting down within ${shutdownTimeoutMs / 1000} s\n`);
  const grace = Math.min(CLOSE_GRACE_MS, shutdownTimeoutMs / 2);
  const late = wait(shutdownTimeoutMs - grace).then(async () => {
    deadline.abort(new Error('the deadline of the shutdown has passed'));
    // Closing the database takes a moment; a store that does not answer must not hold the process any longer.
    await wait(grace);
    process.stderr.write(
      'the shutdown took too long; the database file is whole and the next start ships what is missing\n',
    );
    process.exit(EXIT.failed);
  });
  const ended = app.get(ShutdownService).run(deadline.signal);
  try {
    const saved = await Promise.race([ended, late]);
    process.exit(saved === true ? EXIT.clean : EXIT.failed);
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`);
    process.exit(EXIT.failed);
  }
}

/** Part of the time that is kept for closing the database after the last backup was given up, ms. */
const CLOSE_GRACE_MS = 3_000;

function greeting(url: string): string {
  const address = url.replace('[::1]', 'localhost').replace('0.0.0.0', 'localhost').replace('[::]', 'localhost');
  return [
    `Eider is running at ${address}`,
    `  ${address}/api/events         the sample data`,
    `  ${address}/api/health/full    health`,
    `  ${address}/api/docs           the API`,
  ].join('\n');
}

function explain(error: unknown): string {
  if (!isEiderError(error))
    return `Eider could not start: ${error instanceof Error ? (error.stack ?? messageOf(error)) : messageOf(error)}`;
  return `Eider could not start (${error.code})\n${error.message}\n${error.advice}`;
}
