import type { NestExpressApplication } from '@nestjs/platform-express';
import { authConfig, type AuthConfig } from '../config/auth.config.js';
import { serviceConfig, type ServiceConfig } from '../config/service.config.js';
import { apiOnly } from './api-only.js';
import { audit } from './audit.js';
import { refuseOtherBodies } from './json-body.js';
import { jsonReplacer } from './json-replacer.js';
import { serveOpenApi } from './open-api.js';
import { noStore } from './no-store.js';
import { ProblemFilter } from './problem.filter.js';
import { adminRateLimit } from './rate-limit.js';
import { requestId } from './request-id.js';
import { RequestGate } from './request-gate.js';
import { ValidationPipe } from './validation.pipe.js';

/**
 * Sets up what every request passes through, in this order: security headers, request id, audit, shutdown gate, rate
 * limit, prefix, body; then Nest's guards, pipes and handlers. Needs an application that was created with `bodyParser: false`.
 *
 * There is no protection against CSRF because there is nothing to protect: no cookie and no other credential that a
 * browser would send by itself; keys travel in `Authorization` only.
 */
export function configureApplication(app: NestExpressApplication): NestExpressApplication {
  const service = app.get<ServiceConfig>(serviceConfig.KEY);
  const auth = app.get<AuthConfig>(authConfig.KEY);
  app.setGlobalPrefix('api');
  app.useSecurityHeaders({
    // The service speaks plain HTTP where no proxy stands before it: the pages of /api/docs must not ask for HTTPS then.
    contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
  });
  app.set('trust proxy', service.trustProxyHops);
  app.set('json replacer', jsonReplacer);
  app.use(requestId, noStore, audit, app.get(RequestGate).middleware, adminRateLimit(auth.rateLimitPerMinute), apiOnly);
  app.useBodyParser('json', { limit: service.bodyLimitBytes });
  app.use(refuseOtherBodies);
  app.useGlobalPipes(new ValidationPipe());
  app.useGlobalFilters(new ProblemFilter());
  if (service.openApi) serveOpenApi(app);
  return app;
}
