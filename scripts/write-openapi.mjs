// Writes docs/openapi.json from the built service. A test compares the two.
import { writeFile } from 'node:fs/promises';
import { NestFactory } from '@nestjs/core';
import { format, resolveConfig } from 'prettier';
import { AppModule } from '../dist/app.module.js';
import { configureApplication } from '../dist/http/configure-application.js';
import { openApiDocument } from '../dist/http/open-api.js';

const file = new URL('../docs/openapi.json', import.meta.url);
// Creating the service opens nothing. The environment of whoever runs this must not show in the document.
for (const name of Object.keys(process.env)) if (name !== 'PATH') delete process.env[name];
const app = await NestFactory.create(AppModule, { bodyParser: false, abortOnError: false, logger: false });
const document = openApiDocument(configureApplication(app));
const options = await resolveConfig(file);
await writeFile(file, await format(JSON.stringify(document), { ...options, parser: 'json' }));
await app.close();
