import type { ConfigType } from '@nestjs/config';
import { concern } from './concern.js';
import { nodeEnv } from './environment.js';
import { choice, flag, text, whole } from './variable.js';

/** The process and its HTTP server. */
export const serviceConcern = concern(
  'service',
  'The process and its HTTP server.',
  {
    NODE_ENV: nodeEnv,
    HOST: text('0.0.0.0', /^[A-Za-z0-9.:_-]+$/, 'a host name or address', {
      about: 'The address that the HTTP server listens on.',
    }),
    PORT: whole(3000, [0, 65_535], {
      about: 'The port that the HTTP server listens on; 0 takes a free one.',
    }),
    TRUST_PROXY_HOPS: whole(0, [0, 16], {
      about: 'How many proxies of your own stand before the service; their X-Forwarded-For tells the client address.',
    }),
    LOG_FORMAT: choice('text', ['text', 'json'], { about: 'How log lines are written.' }),
    LOG_LEVEL: choice('log', ['error', 'warn', 'log', 'debug', 'verbose'], {
      about: 'The least severe line that is logged.',
    }),
    OPENAPI_ENABLED: flag(undefined, {
      about: 'Whether /api/docs and /api/openapi.json are served.',
      default: 'true outside production',
      example: 'true',
    }),
    BODY_LIMIT_KB: whole(256, [1, 65_536], { about: 'The largest request body.', unit: 'KiB' }),
    SHUTDOWN_TIMEOUT_SECONDS: whole(25, [1, 3_600], {
      about: 'How long a stop may take, the last backup included; then the process exits with status 1.',
      unit: 'seconds',
    }),
  },
  (env) => ({
    environment: env.NODE_ENV,
    production: env.NODE_ENV === 'production',
    host: env.HOST,
    port: env.PORT,
    trustProxyHops: env.TRUST_PROXY_HOPS,
    logFormat: env.LOG_FORMAT,
    logLevel: env.LOG_LEVEL,
    openApi: env.OPENAPI_ENABLED ?? env.NODE_ENV !== 'production',
    bodyLimitBytes: env.BODY_LIMIT_KB * 1024,
    shutdownTimeoutMs: env.SHUTDOWN_TIMEOUT_SECONDS * 1000,
  }),
);

export const serviceConfig = serviceConcern.provider;
export type ServiceConfig = ConfigType<typeof serviceConfig>;
