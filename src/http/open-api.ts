import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { z } from 'zod';
import { ERRORS, type ErrorCode } from '../errors/catalogue.js';
import { APPLICATION } from '../runtime/application.js';
import { PROBLEM_SCHEMA } from './api-problems.js';

/** The problem document as OpenAPI shows it. */
const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
  advice: z.string().describe('What is safe and what to do.'),
  requestId: z.string().optional(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  details: z.record(z.string(), z.unknown()).optional(),
});

type JsonSchema = Record<string, unknown>;

/** The OpenAPI document of an application: its routes, and the zod schemas of their bodies, queries and answers. */
export function openApiDocument(app: NestExpressApplication): OpenAPIObject {
  const description =
    'Keeps an embedded DuckDB database alive in an object store. Errors are RFC 9457 problem documents.';
  const document = SwaggerModule.createDocument(
    app,
    new DocumentBuilder()
      .setTitle('Eider')
      .setDescription(description)
      .setVersion(APPLICATION.version)
      .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'A key of ADMIN_API_KEYS.' })
      .build(),
    { standardSchemaConverter: (schema, { schemaType }) => convert(schema, schemaType) },
  );
  const schemas = { ...document.components?.schemas, [PROBLEM_SCHEMA]: jsonSchema(problemSchema, 'output') };
  return { ...document, components: { ...document.components, schemas } };
}

/** Serves the document as /api/openapi.json and for people as /api/docs. */
export function serveOpenApi(app: NestExpressApplication): void {
  SwaggerModule.setup('api/docs', app, () => openApiDocument(app), {
    jsonDocumentUrl: 'api/openapi.json',
    raw: ['json'],
    customSiteTitle: 'Eider API',
  });
}

function convert(schema: unknown, io: 'input' | 'output'): { schema: JsonSchema } | undefined {
  return schema instanceof z.ZodType ? { schema: jsonSchema(schema, io) } : undefined;
}

/** Dates are ISO strings on the wire; zod itself refuses to put them into JSON Schema. */
function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _, ...converted } = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io,
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema: target }) => {
      if (zodSchema._zod.def.type === 'date') Object.assign(target, { type: 'string', format: 'date-time' });
    },
  });
  return converted;
}
