import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ROLES } from '../../../src/config/auth.config.js';
import { openApiDocument } from '../../../src/http/open-api.js';
import { KEYS } from '../../support/admin-keys.js';
import { documentedRoutes } from '../../support/answer-check.js';
import { TestService } from '../../support/service.js';

/** Who may do what. A route that is missing here fails the first test. */
const NEEDED: Readonly<Record<string, 'open' | keyof typeof KEYS>> = {
  'POST /api/admin/backup': 'operator',
  'GET /api/admin/timeline': 'viewer',
  'GET /api/admin/backups': 'viewer',
  'GET /api/admin/backups/{name}': 'viewer',
  'PATCH /api/admin/backups/{name}': 'operator',
  'DELETE /api/admin/backups/{name}': 'admin',
  'GET /api/admin/backups/{name}/download': 'admin',
  'POST /api/admin/backups/{name}/verify': 'operator',
  'POST /api/admin/restore': 'admin',
  'GET /api/admin/operations': 'viewer',
  'GET /api/admin/operations/{id}': 'viewer',
  'GET /api/health/database': 'open',
  'GET /api/health/r2-sync': 'open',
  'GET /api/health/full': 'open',
  'GET /api/health/live': 'open',
  'GET /api/health/ready': 'open',
  'GET /api/events': 'open',
  'GET /api/events/{id}': 'open',
  'POST /api/events/{id}/registrations': 'open',
  'GET /api/users/{id}': 'open',
};

/** Where a route leads that is called with nothing but a key. */
function addressOf(path: string): string {
  return path
    .replace(/^\/api/, '')
    .replace('{name}', 'hesocial-manual-20200101-000000')
    .replace('/operations/{id}', '/operations/2b0e3c4e-6f0a-4d39-8a7e-0d6f0a4d398a')
    .replace('{id}', '1');
}

describe('every route asks for its role', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await TestService.start();
  });
  afterAll(() => service.close());

  test('and the document says the same', () => {
    const documented = documentedRoutes(openApiDocument(service.app)).map(({ method, path, operation }) => [
      `${method} ${path}`,
      operation['x-required-role'] ?? 'open',
    ]);
    expect(Object.fromEntries(documented)).toEqual(NEEDED);
  });

  test.each(Object.entries(NEEDED))('%s: %s', async (route, needed) => {
    const [method = '', path = ''] = route.split(' ');
    const call = async (key?: string) => {
      const { status, body, headers } = await service.send(addressOf(path), { method, ...(key && { key }) });
      return { status, code: body?.['code'], challenge: headers.get('www-authenticate') };
    };
    const open = needed === 'open';
    const nobody = await call();
    const stranger = await call('a-key-that-nobody-has');
    if (open) {
      expect([401, 403]).not.toContain(nobody.status);
      expect([401, 403]).not.toContain(stranger.status);
    } else {
      expect(nobody).toEqual({ status: 401, code: 'UNAUTHENTICATED', challenge: 'Bearer realm="eider"' });
      expect(stranger).toMatchObject({ status: 401, challenge: 'Bearer realm="eider", error="invalid_token"' });
    }
    for (const role of ROLES) {
      const { status, code } = await call(KEYS[role]);
      const enough = open || ROLES.indexOf(role) >= ROLES.indexOf(needed);
      if (enough) expect({ role, refused: [401, 403].includes(status) }).toEqual({ role, refused: false });
      else expect({ role, status, code }).toEqual({ role, status: 403, code: 'FORBIDDEN' });
    }
  });

  test('and every call of the admin API leaves one line, refused ones included', async () => {
    const lines = () => service.log.filter((line) => line.startsWith('admin call'));
    for (const [route, needed] of Object.entries(NEEDED)) {
      const [method = '', path = ''] = route.split(' ');
      const before = lines().length;
      const requestId = `audited-${method}-${path.replaceAll(/[^a-z]/g, '')}`;
      await service.send(addressOf(path), { method, key: KEYS.viewer, headers: { 'x-request-id': requestId } });
      const written = lines().slice(before);
      if (needed === 'open') {
        expect(written).toEqual([]);
        continue;
      }
      expect(written).toHaveLength(1);
      expect(written[0]).toContain(`"requestId":"${requestId}"`);
      expect(written[0]).toContain('"key":"viewer-key","role":"viewer"');
      if (needed !== 'viewer') expect(written[0]).toContain('"status":403');
    }
  });
});

describe('production without keys', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await TestService.start({ env: { NODE_ENV: 'production', ADMIN_API_KEYS: '' } });
  });
  afterAll(() => service.close());

  test('shuts every admin route, whatever key is sent, and leaves the others open', async () => {
    for (const [route, needed] of Object.entries(NEEDED)) {
      const [method = '', path = ''] = route.split(' ');
      const { status, body } = await service.send(addressOf(path), { method, key: KEYS.admin });
      if (needed === 'open') expect({ route, shut: status === 503 }).toEqual({ route, shut: false });
      else expect({ route, status, code: body['code'] }).toEqual({ route, status: 503, code: 'ADMIN_KEYS_MISSING' });
    }
  });

  test('serves no documentation', async () => {
    expect((await service.fetch('/openapi.json')).status).toBe(404);
    expect((await service.fetch('/docs')).status).toBe(404);
  });
});
