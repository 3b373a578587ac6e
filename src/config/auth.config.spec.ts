import { describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { authConcern, type Role, ROLES } from './auth.config.js';
import { InvalidVariables } from './concern.js';

const HASH = createHash('sha256').update('key').digest('hex');

describe('the keys of the admin API', () => {
  it('are read with name, role and hash, in order', () => {
    const { keys, generateKey } = authConcern.parse({
      ADMIN_API_KEYS: `ci:operator:${HASH},ana.p-1_x:admin:${HASH.toUpperCase()}`,
    });
    expect(keys).toEqual([
      { name: 'ci', role: 'operator', hash: Buffer.from(HASH, 'hex') },
      { name: 'ana.p-1_x', role: 'admin', hash: Buffer.from(HASH, 'hex') },
    ]);
    expect(generateKey).toBe(false);
  });

  it('are read back as they were written, whatever they are', () => {
    const entry = fc.record({
      name: fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/),
      role: fc.constantFrom<Role>(...ROLES),
      hash: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes)),
    });
    fc.assert(
      fc.property(
        fc.array(entry, { minLength: 1, maxLength: 5 }),
        fc.constantFrom(',', ' , ', ',\n'),
        (keys, comma) => {
          const text = keys.map(({ name, role, hash }) => `${name}:${role}:${hash.toString('hex')}`).join(comma);
          expect(authConcern.parse({ ADMIN_API_KEYS: text }).keys).toEqual(keys);
        },
      ),
    );
  });

  it.each([
    ['a key in place of its hash', 'ops:admin:my-secret-key'],
    ['a hash that is too short', `ops:admin:${HASH.slice(1)}`],
    ['an unknown role', `ops:root:${HASH}`],
    ['a role in capitals', `ops:Admin:${HASH}`],
    ['no name', `:admin:${HASH}`],
    ['a space in its name', `my ops:admin:${HASH}`],
    ['a part too many', `ops:admin:${HASH}:x`],
  ])('are refused with %s, by the number of the entry and without its text', (_, bad) => {
    const attempt = () => authConcern.parse({ ADMIN_API_KEYS: `ok:viewer:${HASH},${bad}` });
    expect(attempt).toThrow(InvalidVariables);
    expect(attempt).toThrow(
      /^ADMIN_API_KEYS: entry 2 must be name:role:sha256hex with the role viewer, operator or admin$/,
    );
  });

  it('are told of one line each where several are wrong', () => {
    expect(() => authConcern.parse({ ADMIN_API_KEYS: 'a,b,' })).toThrow(/entry 1 .*\n.*entry 2 .*\n.*entry 3 /);
  });

  it.each([
    ['development', undefined, true],
    ['staging', undefined, true],
    ['production', undefined, false],
    ['development', `a:viewer:${HASH}`, false],
    ['production', `a:viewer:${HASH}`, false],
  ])('in %s, given as %s: one is generated: %s', (NODE_ENV, ADMIN_API_KEYS, generateKey) => {
    expect(authConcern.parse({ NODE_ENV, ADMIN_API_KEYS }).generateKey).toBe(generateKey);
  });
});
