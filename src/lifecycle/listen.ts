import type { NestExpressApplication } from '@nestjs/platform-express';
import type { ServiceConfig } from '../config/service.config.js';
import { messageOf } from '../errors/eider-error.js';
import { systemCode } from '../errors/system-error.js';

/** The service cannot listen where it was told to; the message is for the operator. */
export class CannotListen extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'CannotListen';
  }
}

/**
 * Serves requests.
 *
 * @throws CannotListen
 */
export async function listen(
  app: NestExpressApplication,
  { host, port }: Pick<ServiceConfig, 'host' | 'port'>,
): Promise<void> {
  try {
    await app.listen(port, host);
  } catch (error) {
    throw new CannotListen(explain(error, host, port), error);
  }
}

function explain(error: unknown, host: string, port: number): string {
  switch (systemCode(error)) {
    case 'EADDRINUSE':
      return `PORT: ${port} is in use by another program on ${host}.`;
    case 'EACCES':
      return `PORT: ${port} may not be used by this user: ports below 1024 need a privilege.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `HOST: ${host} is no address of this machine.`;
    default:
      return `The service cannot listen on ${host}, port ${port}: ${messageOf(error)}`;
  }
}
