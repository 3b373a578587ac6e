import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';
import { serviceConcern } from './config/service.config.js';
import { createLogger } from './config/service-logger.js';
import { configureApplication } from './http/configure-application.js';

/** The whole service, not yet listening and with nothing opened. */
export async function createApplication(): Promise<NestExpressApplication> {
  const logger = createLogger(serviceConcern.parse(process.env), process.env);
  const app = await NestFactory.create<NestExpressApplication>(AppModule, {
    bodyParser: false,
    abortOnError: false,
    logger,
  });
  return configureApplication(app);
}
