import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { request as httpRequest } from 'node:http';
import { gzipSync } from 'node:zlib';
import { ERRORS } from '../../../src/errors/catalogue.js';
import { type HttpApp, startHttp } from './http-app.js';
import { PROBES } from './probe.controller.js';

describe('problem documents', () => {
  let http: HttpApp;
  beforeAll(async () => {
    http = await startHttp(PROBES, { BODY_LIMIT_KB: '1' });
  });
  afterAll(() => http.close());

  const post = (
    body: string | Uint8Array<ArrayBuffer>,
    type = 'application/json',
    more: Record<string, string> = {},
  ): Promise<Response> =>
    http.send('/api/probe/body', { method: 'POST', body, headers: { 'content-type': type, ...more } });

  test('an error of the catalogue is told in full, with Retry-After', async () => {
    const response = await http.send('/api/probe/eider', { headers: { 'x-request-id': 'abc-1' } });
    expect(response.status).toBe(503);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('retry-after')).toBe('7');
    expect(await response.json()).toEqual({
      type: 'urn:eider:error:DATABASE_READ_ONLY',
      title: ERRORS.DATABASE_READ_ONLY.title,
      status: 503,
      detail: 'A restore is running.',
      code: 'DATABASE_READ_ONLY',
      advice: ERRORS.DATABASE_READ_ONLY.advice,
      requestId: 'abc-1',
      details: { bytes: 10 },
    });
  });

  test('an unexpected error tells nothing of itself, and the log has it under the request id', async () => {
    const response = await http.send('/api/probe/fails', { headers: { 'x-request-id': 'leak-check' } });
    const text = await response.text();
    expect(response.status).toBe(500);
    expect(JSON.parse(text)).toMatchObject({ code: 'INTERNAL', requestId: 'leak-check' });
    expect(text).not.toMatch(/secret|SELECT|password/);
    const line = http.log.find(({ level, rest }) => level === 'error' && JSON.stringify(rest).includes('leak-check'));
    expect(JSON.stringify(line?.rest)).toContain('/secret/path and SELECT password');
  });

  test('the log has the errors underneath, too', async () => {
    await http.send('/api/probe/eider', { headers: { 'x-request-id': 'with-cause' } });
    const line = http.log.find(({ rest }) => JSON.stringify(rest).includes('with-cause'));
    expect(JSON.stringify(line?.rest)).toContain('caused by Error: the cause');
  });

  test('a 5xx of the framework tells nothing of itself', async () => {
    const response = await http.send('/api/probe/gateway');
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('internal host name');
  });

  test('a health report passes as it is', async () => {
    const response = await http.send('/api/probe/unhealthy');
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ status: 'error', details: { database: { status: 'down' } } });
  });

  test('an error in the middle of an answer breaks the connection', async () => {
    // Whether the first half arrives before the break is up to the network.
    await expect(http.send('/api/probe/half').then((response) => response.text())).rejects.toThrow();
  });

  test.each([
    ['GET', '/api/nowhere'],
    ['GET', '/'],
    ['DELETE', '/api/probe/body'],
    ['POST', '/api/health/live'],
  ])('%s %s is NOT_FOUND', async (method, path) => {
    const response = await http.send(path, { method });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({
      code: 'NOT_FOUND',
      detail: 'No route answers this method and path.',
    });
  });

  test('a HEAD request gets the headers of the problem alone', async () => {
    const response = await http.send('/api/nowhere', { method: 'HEAD' });
    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.text()).toBe('');
  });

  test('every field that is wrong is named', async () => {
    const response = await post(JSON.stringify({ label: 'longer than ten', size: 'x', other: 1 }));
    expect(response.status).toBe(400);
    const problem = (await response.json()) as { errors: { path: string; message: string }[] };
    expect(problem).toMatchObject({ code: 'REQUEST_INVALID' });
    expect(problem.errors.map(({ path }) => path).sort()).toEqual(['', 'label', 'size']);
    expect(problem.errors.find(({ path }) => path === '')?.message).toContain('other');
  });

  test('a parameter and a query are checked and converted', async () => {
    expect(await (await http.send('/api/probe/items/7?since=2026-01-02')).json()).toEqual({
      id: 7,
      since: '2026-01-02T00:00:00.000Z',
    });
    expect((await http.send('/api/probe/items/seven')).status).toBe(400);
    expect((await http.send('/api/probe/items/7?until=1')).status).toBe(400);
    expect((await http.send('/api/probe/items/%FF')).status).toBe(400);
  });

  test('a request without a body is one with an empty object', async () => {
    const response = await http.send('/api/probe/body', { method: 'POST' });
    expect(await response.json()).toEqual({ body: {} });
  });

  test('malformed JSON is refused without being quoted', async () => {
    const response = await post('{"label": hunter2');
    expect(response.status).toBe(400);
    const text = await response.text();
    expect(text).toContain('The body is not a JSON object or array.');
    expect(text).not.toContain('hunter2');
  });

  test.each([
    ['a form', 'label=x', 'application/x-www-form-urlencoded', {}],
    ['text', '{}', 'text/plain', {}],
    ['an unknown charset', '{}', 'application/json; charset=utf-99', {}],
    ['an unknown encoding', '{}', 'application/json', { 'content-encoding': 'pigeon' }],
    ['a bare value', '7', 'application/json', {}],
  ])('%s is refused as a body', async (_name, body, type, more) => {
    const response = await post(body, type, more);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'REQUEST_INVALID' });
  });

  test('a body over the limit is refused, also one that unpacks to that', async () => {
    const large = JSON.stringify({ label: 'x'.repeat(2000) });
    const plain = await post(large);
    expect(plain.status).toBe(413);
    expect(await plain.json()).toMatchObject({ code: 'REQUEST_TOO_LARGE' });
    const packed = gzipSync(large);
    expect(packed.length).toBeLessThan(1024);
    expect((await post(packed, 'application/json', { 'content-encoding': 'gzip' })).status).toBe(413);
  });

  test('__proto__ in a body changes nothing', async () => {
    const response = await post('{"__proto__": {"polluted": true}, "label": "a"}');
    expect(await response.json()).toEqual({ body: { label: 'a' } });
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test('a bigint is a number where that is exact, else text', async () => {
    expect(await (await http.send('/api/probe/big')).json()).toEqual({ small: 12, large: '1152921504606846976' });
  });

  test('a sane request id is taken over, any other replaced', async () => {
    const given = await http.send('/api/probe/big', { headers: { 'x-request-id': 'trace:1.2-3_4' } });
    expect(given.headers.get('x-request-id')).toBe('trace:1.2-3_4');
    for (const insane of ['a b', 'x'.repeat(129), '<script>']) {
      const response = await http.send('/api/probe/big', { headers: { 'x-request-id': insane } });
      expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  test('every answer has the security headers and does not name the framework', async () => {
    for (const path of ['/api/probe/big', '/api/nowhere', '/api/admin/probe']) {
      const { headers } = await http.send(path);
      expect(headers.get('x-powered-by')).toBeNull();
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('content-security-policy')).toContain("default-src 'self'");
      expect(headers.get('content-security-policy')).not.toContain('upgrade-insecure-requests');
    }
  });

  test('a body that ends too early harms nobody', async () => {
    await new Promise<void>((resolve) => {
      const request = httpRequest(`${http.url}/api/probe/body`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': '100' },
      });
      request.on('error', () => resolve());
      request.on('close', () => resolve());
      request.write('{"label":', () => request.destroy());
    });
    expect((await http.send('/api/probe/big')).status).toBe(200);
  });
});
