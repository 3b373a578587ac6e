import type { NestExpressApplication } from '@nestjs/platform-express';
import type { OpenAPIObject } from '@nestjs/swagger';
import { z } from 'zod';
import { openApiDocument } from '../../src/http/open-api.js';

/** An operation of the OpenAPI document, as far as the tests look at it. */
export const operationSchema = z.looseObject({
  operationId: z.string(),
  summary: z.string().optional(),
  security: z.array(z.unknown()).optional(),
  requestBody: z.unknown().optional(),
  'x-required-role': z.string().optional(),
  responses: z.record(
    z.string(),
    z.looseObject({
      content: z.record(z.string(), z.looseObject({ schema: z.record(z.string(), z.unknown()).optional() })).optional(),
    }),
  ),
});

export interface DocumentedRoute {
  /** Upper-case. */
  readonly method: string;
  /** With `{name}` for parameters. */
  readonly path: string;
  readonly operation: z.infer<typeof operationSchema>;
}

/** Every route of a document. */
export function documentedRoutes({ paths }: OpenAPIObject): DocumentedRoute[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item as Record<string, unknown>).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation: operationSchema.parse(operation),
    })),
  );
}

/** Compares answers with the OpenAPI document: status, media type and every field must be as it says. */
export class AnswerCheck {
  readonly #routes: readonly (DocumentedRoute & { readonly pattern: RegExp })[];
  readonly #schemas = new Map<string, z.ZodType>();
  readonly #shared: Readonly<Record<string, unknown>>;

  constructor(app: NestExpressApplication) {
    const document = openApiDocument(app);
    this.#shared = { ...document.components?.schemas };
    this.#routes = documentedRoutes(document).map((route) => ({
      ...route,
      pattern: new RegExp(`^${route.path.replaceAll(/\{[^}]+\}/g, '[^/]+')}$`),
    }));
  }

  /** Throws where an answer of a documented route is not as the document says. */
  check(method: string, path: string, response: Response, body: unknown): void {
    const [bare = ''] = path.split('?');
    const route = this.#routes.find((each) => each.method === method && each.pattern.test(bare));
    if (route === undefined) return;
    const where = `${method} ${path} ${response.status}`;
    const documented = route.operation.responses[String(response.status)];
    if (documented === undefined) throw new Error(`${where} is not in the document: ${JSON.stringify(body)}`);
    if (documented.content === undefined) {
      if (body !== undefined) throw new Error(`${where} has a body that the document does not know`);
      return;
    }
    const [type = ''] = (response.headers.get('content-type') ?? '').split(';');
    const content = documented.content[type];
    if (content === undefined) throw new Error(`${where} has the type ${type}, which the document does not know`);
    if (content.schema === undefined) return;
    const result = this.#schema(content.schema).safeParse(body);
    if (!result.success) throw new Error(`${where} is not as documented:\n${z.prettifyError(result.error)}`);
  }

  #schema(schema: Record<string, unknown>): z.ZodType {
    const text = JSON.stringify(schema);
    const known = this.#schemas.get(text);
    if (known !== undefined) return known;
    const name = /^#\/components\/schemas\/(\w+)$/.exec(String(schema['$ref']))?.[1];
    const json = name === undefined ? schema : this.#shared[name];
    const made = z.fromJSONSchema(json as Parameters<typeof z.fromJSONSchema>[0], { defaultTarget: 'openapi-3.0' });
    this.#schemas.set(text, made);
    return made;
  }
}
