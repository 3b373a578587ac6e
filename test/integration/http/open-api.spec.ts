import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { openApiDocument } from '../../../src/http/open-api.js';
import { PACKAGE_FOLDER } from '../../../src/runtime/application.js';
import { documentedRoutes } from '../../support/answer-check.js';
import { TestService } from '../../support/service.js';

/** Express keeps what it routes in this form. */
const stackSchema = z.array(
  z.object({
    route: z
      .object({ path: z.union([z.string(), z.array(z.string())]), methods: z.record(z.string(), z.boolean()) })
      .optional(),
  }),
);

/** Addresses of the documentation itself. */
const OWN = /^\/api\/(docs|openapi\.json)/;

describe('the OpenAPI document', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await TestService.start();
  });
  afterAll(() => service.close());

  /** `GET /api/events/{id}`, as the router knows them. */
  function routed(): string[] {
    const { router } = service.app.getHttpAdapter().getInstance() as { router: { stack: unknown } };
    return stackSchema
      .parse(router.stack)
      .flatMap(({ route }) => {
        const methods = Object.keys(route?.methods ?? {}).map((method) => method.toUpperCase());
        const paths = [route?.path ?? []].flat();
        return paths.flatMap((path) => methods.map((method) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`));
      })
      .filter((route) => !OWN.test(route.split(' ')[1] ?? ''))
      .sort();
  }

  test('lists every route that the router knows, and no other', () => {
    const documented = documentedRoutes(openApiDocument(service.app)).map(({ method, path }) => `${method} ${path}`);
    expect(documented.sort()).toEqual(routed());
    expect(documented.length).toBeGreaterThan(15);
  });

  test('is the one in docs: `npm run docs` writes it', async () => {
    const written: unknown = JSON.parse(await readFile(join(PACKAGE_FOLDER, 'docs', 'openapi.json'), 'utf8'));
    expect(written).toEqual(JSON.parse(JSON.stringify(openApiDocument(service.app))));
  });

  test('is served, with pages for people', async () => {
    const served = await service.send('/openapi.json');
    expect(served.body).toEqual(JSON.parse(JSON.stringify(openApiDocument(service.app))));
    expect((await service.fetch('/docs')).status).toBe(200);
  });

  test('tells of every route what it does and what it answers, with a schema', () => {
    for (const { method, path, operation } of documentedRoutes(openApiDocument(service.app))) {
      const where = `${method} ${path}`;
      expect({ where, summary: operation.summary }).toEqual({ where, summary: expect.any(String) });
      const good = Object.entries(operation.responses).filter(([status]) => status.startsWith('2'));
      expect({ where, answers: good.length }).not.toEqual({ where, answers: 0 });
      for (const [status, { content }] of good) {
        const schemas = Object.values(content ?? {}).map(({ schema }) => schema);
        expect({ where, status, schemas: schemas.length > 0 && schemas.every(Boolean) }).toEqual({
          where,
          status,
          schemas: status !== '204',
        });
      }
    }
  });

  test('names a schema for everything that a route takes', () => {
    for (const { method, path, operation } of documentedRoutes(openApiDocument(service.app))) {
      const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const given = z.array(z.object({ name: z.string(), schema: z.unknown() })).parse(operation['parameters'] ?? []);
      for (const name of names)
        expect({ path, found: given.find((each) => each.name === name)?.schema }).toEqual({
          path,
          found: expect.any(Object),
        });
      if (['POST', 'PATCH'].includes(method) && !path.endsWith('/verify')) {
        expect({ path, body: operation.requestBody }).toEqual({ path, body: expect.any(Object) });
      }
    }
  });
});
