import { afterEach, describe, expect, test } from '@jest/globals';
import { RequestGate } from '../../../src/http/request-gate.js';
import { OperationsService } from '../../../src/operations/operations.service.js';
import { KEYS } from '../../support/admin-keys.js';
import { type HttpApp, startHttp } from './http-app.js';
import { Latch, ProbeController, PROBES } from './probe.controller.js';

let http: HttpApp;
afterEach(() => http.close());

const auditLines = () => http.log.filter(({ message }) => message === 'admin call').map(({ rest }) => rest[0]);

describe('keys', () => {
  test('outside production one is generated when none is set: shown once, never logged, an admin', async () => {
    http = await startHttp(PROBES, { ADMIN_API_KEYS: '' });
    expect(http.announced).toHaveLength(1);
    const [, key = ''] = /Bearer (eider_\S{43})/.exec(http.announced[0] ?? '') ?? [];
    expect((await http.send('/api/admin/probe/backups/x', { key })).status).toBe(200);
    expect(JSON.stringify(http.log)).not.toContain(key);
  });

  test('none is generated where some are set, nor in production', async () => {
    http = await startHttp(PROBES);
    expect(http.announced).toEqual([]);
    await http.close();
    http = await startHttp(PROBES, { NODE_ENV: 'production', ADMIN_API_KEYS: '' });
    expect(http.announced).toEqual([]);
    const response = await http.send('/api/admin/probe', { key: 'undefined' });
    expect(await response.json()).toMatchObject({ status: 503, code: 'ADMIN_KEYS_MISSING' });
  });

  test.each([
    ['bearer', 200],
    ['BEARER', 200],
    ['Basic', 401],
    ['', 401],
  ])('with the scheme %j are answered with %i', async (scheme, status) => {
    http = await startHttp(PROBES);
    const response = await http.send('/api/admin/probe', { headers: { authorization: `${scheme} ${KEYS.viewer}` } });
    expect(response.status).toBe(status);
  });

  test.each([
    KEYS.viewer.slice(0, -1),
    `${KEYS.viewer}x`,
    KEYS.viewer.toUpperCase(),
    'x'.repeat(513),
    `${KEYS.viewer} x`,
  ])('%p is not one', async (key) => {
    http = await startHttp(PROBES);
    expect((await http.send('/api/admin/probe', { key })).status).toBe(401);
  });

  test('an admin route that forgot its role is for admins only, in any spelling of its path', async () => {
    http = await startHttp(PROBES);
    for (const path of ['/api/admin/forgotten', '/API/Admin/FORGOTTEN', '/api/admin/forgotten/']) {
      expect((await http.send(path)).status).toBe(401);
      expect((await http.send(path, { key: KEYS.operator })).status).toBe(403);
      expect((await http.send(path, { key: KEYS.admin })).status).toBe(200);
    }
  });
});

describe('the audit line', () => {
  test('tells who did what, how it ended and which operation and backup it was about', async () => {
    http = await startHttp(PROBES);
    await http.send('/api/admin/probe/work?secret=in-the-query', {
      method: 'POST',
      key: KEYS.operator,
      headers: { 'x-request-id': 'work-1' },
    });
    const [operation] = http.app.get(OperationsService, { strict: false }).list();
    expect(auditLines()).toEqual([
      {
        key: 'operator-key',
        role: 'operator',
        method: 'POST',
        path: '/api/admin/probe/work',
        status: 201,
        ms: expect.any(Number),
        address: '127.0.0.1',
        requestId: 'work-1',
        operation: operation?.id,
        backup: 'hesocial-manual-1',
      },
    ]);
  });

  test('holds nothing that a terminal or a log would take for its own', async () => {
    http = await startHttp(PROBES);
    await http.send(`/api/admin/probe/backups/${encodeURIComponent('a\n\u001b[31mforged line')}`, { key: KEYS.admin });
    expect(auditLines()).toMatchObject([{ backup: 'a??[31mforged line' }]);
  });

  test('is written for refused keys, unknown routes and too many requests, too', async () => {
    http = await startHttp(PROBES, { ADMIN_RATE_LIMIT_PER_MINUTE: '2' });
    await http.send('/api/admin/probe');
    await http.send('/api/ADMIN/nowhere', { key: KEYS.admin });
    await http.send('/api/admin/probe', { key: KEYS.admin });
    expect(auditLines()).toMatchObject([
      { key: '-', role: '-', status: 401 },
      { key: '-', status: 404 },
      { key: '-', status: 429 },
    ]);
  });

  test('takes the address from as many proxies as are said to be trusted', async () => {
    const headers = { 'x-forwarded-for': '203.0.113.9' };
    http = await startHttp(PROBES);
    await http.send('/api/admin/probe', { headers });
    expect(auditLines()).toMatchObject([{ address: '127.0.0.1' }]);
    await http.close();
    http = await startHttp(PROBES, { TRUST_PROXY_HOPS: '1' });
    await http.send('/api/admin/probe', { headers });
    expect(auditLines()).toMatchObject([{ address: '203.0.113.9' }]);
  });
});

describe('the rate limit', () => {
  test('counts wrong keys and unknown routes, and says when to come again', async () => {
    http = await startHttp(PROBES, { ADMIN_RATE_LIMIT_PER_MINUTE: '3' });
    await http.send('/api/admin/probe', { key: 'wrong' });
    await http.send('/api/admin/nowhere');
    expect((await http.send('/api/admin/probe', { key: KEYS.viewer })).status).toBe(200);
    const refused = await http.send('/api/admin/probe', { key: KEYS.viewer });
    expect(await refused.json()).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60);
  });

  test('counts keys that are tried on open routes, and leaves open routes alone otherwise', async () => {
    http = await startHttp(PROBES, { ADMIN_RATE_LIMIT_PER_MINUTE: '1' });
    await http.send('/api/health/live', { key: 'guess' });
    expect((await http.send('/api/health/live', { key: KEYS.viewer })).status).toBe(429);
    for (let n = 0; n < 5; n++) expect((await http.send('/api/health/live')).status).toBe(200);
  });

  test('counts each address by itself', async () => {
    http = await startHttp(PROBES, { ADMIN_RATE_LIMIT_PER_MINUTE: '1', TRUST_PROXY_HOPS: '1' });
    const from = async (address: string) =>
      (await http.send('/api/admin/probe', { key: KEYS.viewer, headers: { 'x-forwarded-for': address } })).status;
    expect([await from('203.0.113.1'), await from('203.0.113.2'), await from('203.0.113.1')]).toEqual([200, 200, 429]);
  });
});

describe('from the beginning of a shutdown', () => {
  test('new requests are refused, health is answered, and requests under way end', async () => {
    http = await startHttp(PROBES);
    ProbeController.latch = new Latch();
    const gate = http.app.get(RequestGate, { strict: false });
    const waiting = http.send('/api/probe/wait');
    await ProbeController.latch.reached;
    expect(gate.inFlight).toBe(1);
    gate.beginShutdown();
    const refused = await http.send('/api/probe/big');
    expect(refused.headers.get('connection')).toBe('close');
    expect(await refused.json()).toMatchObject({ status: 503, code: 'SHUTTING_DOWN' });
    expect((await http.send('/api/health/live')).status).toBe(200);
    expect(await gate.drain(0)).toBe(false);
    const drained = gate.drain(60_000);
    ProbeController.latch.open();
    expect((await waiting).status).toBe(200);
    expect(await drained).toBe(true);
    expect(gate.inFlight).toBe(0);
  });

  test('a client that goes away is not waited for', async () => {
    http = await startHttp(PROBES);
    ProbeController.latch = new Latch();
    const gate = http.app.get(RequestGate, { strict: false });
    const away = new AbortController();
    const waiting = http.send('/api/probe/wait', { signal: away.signal });
    await ProbeController.latch.reached;
    const drained = gate.drain(60_000);
    away.abort();
    await expect(waiting).rejects.toThrow();
    expect(await drained).toBe(true);
    ProbeController.latch.open();
  });
});

describe('operations', () => {
  test('answer 201 with the result, or 202 with the operation where that is preferred', async () => {
    http = await startHttp(PROBES);
    const work = (prefer?: string) =>
      http.send('/api/admin/probe/work', {
        method: 'POST',
        key: KEYS.operator,
        ...(prefer && { headers: { prefer } }),
      });
    const waited = await work();
    expect([waited.status, await waited.json()]).toEqual([201, { name: 'hesocial-manual-1', rows: 3 }]);
    expect((await work('wait=10')).status).toBe(201);
    for (const prefer of ['respond-async', 'wait=10, Respond-Async', 'respond-async; x=1']) {
      const accepted = await work(prefer);
      expect([prefer, accepted.status]).toEqual([prefer, 202]);
      const location = accepted.headers.get('location') ?? '';
      const polled = await http.send(location, { key: KEYS.viewer });
      expect(await polled.json()).toMatchObject({ kind: 'backup', state: 'succeeded', result: { rows: 3 } });
    }
  });

  test('are found by their id, and by nothing else', async () => {
    http = await startHttp(PROBES);
    const at = (id: string) => http.send(`/api/admin/operations/${id}`, { key: KEYS.viewer });
    expect(await (await at('2b0e3c4e-6f0a-4d39-8a7e-0d6f0a4d398a')).json()).toMatchObject({
      code: 'OPERATION_NOT_FOUND',
    });
    expect(await (await at('..%2Fsecret')).json()).toMatchObject({ code: 'REQUEST_INVALID' });
  });

  test('that fail keep their problem and end up in the log; a shutdown starts none', async () => {
    http = await startHttp(PROBES);
    const operations = http.app.get(OperationsService, { strict: false });
    const failing = operations.start('verify', () => Promise.reject(new Error('SELECT secret')));
    await expect(failing.finished).rejects.toThrow('SELECT secret');
    const response = await http.send(`/api/admin/operations/${failing.operation.id}`, { key: KEYS.viewer });
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ state: 'failed', error: { code: 'INTERNAL' }, result: null });
    expect(text).not.toContain('SELECT secret');
    expect(JSON.stringify(http.log)).toContain('SELECT secret');
    operations.abortAll('the test ends');
    const refused = await http.send('/api/admin/probe/work', { method: 'POST', key: KEYS.operator });
    expect(await refused.json()).toMatchObject({ status: 503, code: 'SHUTTING_DOWN' });
  });
});
