import { Logger } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { setTimeout as wait } from 'node:timers/promises';
import { checkConfiguration } from '../config/configuration.js';
import { loadEnvironmentFile } from '../config/environment-file.js';
import { serviceConcern, type ServiceConfig } from '../config/service.config.js';
import { isEiderError, messageOf } from '../errors/eider-error.js';
import { outliveOutput } from '../runtime/outlive-output.js';
import { createApplication } from '../app.factory.js';
import { CannotListen, listen } from './listen.js';
import { EXIT, exitStatusOf, onStopSignal, onUnhandledError, type StopSignal } from './process-signals.js';
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
  let stopping: Promise<void> | undefined;
  outliveOutput();
  onStopSignal((signal) => {
    if (serving === undefined) leaveWhileStarting(signal);
    else stopping ??= stop(serving, signal, EXIT.clean);
  });
  onUnhandledError((error) => {
    reportUnhandled(error);
    if (serving === undefined) process.exit(EXIT.failed);
    // Commits since the last backup must not be lost with this disk to an error that has nothing to do with them.
    stopping ??= stop(serving, 'an error that nothing handled', EXIT.failed);
  });
  try {
    serving = await start();
    say('log', greeting(await serving.getUrl(), serviceConcern.parse(process.env)));
  } catch (error) {
    process.stderr.write(`Eider could not start${explain(error)}\n`);
    process.exit(EXIT.failed);
  }
}

/** Everything up to serving; what was opened is closed again when a step fails. */
async function start(): Promise<NestExpressApplication> {
  loadEnvironmentFile();
  checkConfiguration(process.env);
  const app = await createApplication();
  const startup = app.get(StartupService);
  try {
    await startup.open();
    await listen(app, serviceConcern.parse(process.env));
  } catch (error) {
    await startup.close();
    throw error;
  }
  startup.beginSchedules();
  return app;
}

/** A restore under way writes beside the database only, and a swap is taken back by the next start. */
function leaveWhileStarting(signal: StopSignal): void {
  process.stderr.write(
    `${signal} during the start: nothing was replaced; the next start goes on with what was fetched\n`,
  );
  process.exit(exitStatusOf(signal));
}

/** @param status - the exit status when everything is saved */
async function stop(app: NestExpressApplication, reason: string, status: number): Promise<void> {
  const deadline = new AbortController();
  const { shutdownTimeoutMs } = serviceConcern.parse(process.env);
  say('log', `${reason}: shutting down within ${shutdownTimeoutMs / 1000} s`);
  const grace = Math.min(CLOSE_GRACE_MS, shutdownTimeoutMs / 2);
  const late = wait(shutdownTimeoutMs - grace).then(async () => {
    deadline.abort(new Error('the deadline of the shutdown has passed'));
    // Closing the database takes a moment; a store that does not answer must not hold the process any longer.
    await wait(grace);
    say(
      'error',
      'the shutdown took too long; the database file stays as it is and the next start ships what is missing',
    );
    return false;
  });
  try {
    const saved = await Promise.race([app.get(ShutdownService).run(deadline.signal), late]);
    process.exit(saved ? status : EXIT.failed);
  } catch (error) {
    say('error', `Eider could not stop in order${explain(error)}`);
    process.exit(EXIT.failed);
  }
}

/** Part of the time that is kept for closing the database after the last backup was given up, ms. */
const CLOSE_GRACE_MS = 3_000;

function reportUnhandled(error: unknown): void {
  new Logger('Process').error(
    `an error that nothing handled: ${messageOf(error)}`,
    error instanceof Error ? error.stack : undefined,
  );
}

/** Writes for people, or a log line where programs read the log: then every line must be JSON. */
function say(level: 'log' | 'error', text: string): void {
  if (serviceConcern.parse(process.env).logFormat === 'json') new Logger('Process')[level](text);
  else process[level === 'log' ? 'stdout' : 'stderr'].write(`${text}\n`);
}

function greeting(url: string, { logFormat, openApi }: Pick<ServiceConfig, 'logFormat' | 'openApi'>): string {
  const address = url.replace('[::1]', 'localhost').replace('0.0.0.0', 'localhost').replace('[::]', 'localhost');
  const running = `Eider is running at ${address}`;
  if (logFormat === 'json') return running;
  const addresses = [`  ${address}/api/events         the events`, `  ${address}/api/health/full    health`];
  if (openApi) addresses.push(`  ${address}/api/docs           the API`);
  return [running, ...addresses].join('\n');
}

function explain(error: unknown): string {
  if (isEiderError(error)) return ` (${error.code})\n${error.message}\n${error.advice}`;
  if (error instanceof CannotListen)
    return `\n${error.message}\nThe database was closed again and keeps what it holds.`;
  return `: ${error instanceof Error ? (error.stack ?? messageOf(error)) : messageOf(error)}`;
}
