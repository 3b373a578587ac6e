import { describe, expect, it } from '@jest/globals';
import { getConfigToken } from '@nestjs/config';
import fc from 'fast-check';
import { isEiderError } from '../errors/eider-error.js';
import type { Environment } from './concern.js';
import { checkConfiguration, CONCERNS } from './configuration.js';

const BUCKET = { R2_SYNC_ENABLED: 'true', R2_ACCOUNT_ID: 'acc', R2_ACCESS_KEY_ID: 'AKID', R2_SECRET_ACCESS_KEY: 'key' };

/** The lines with which a start would end; none where the environment is valid. */
function linesOf(env: Environment): readonly string[] {
  try {
    checkConfiguration(env);
    return [];
  } catch (error) {
    if (!isEiderError(error, 'CONFIGURATION_INVALID')) throw error;
    return error.message.split('\n');
  }
}

describe('a check of the configuration', () => {
  it('passes without any variable', () => {
    expect(linesOf({})).toEqual([]);
  });

  it.each<[string, string, string, string]>([
    [
      'a word that is none of those allowed',
      'NODE_ENV',
      'prod',
      'must be one of development, production, test, staging',
    ],
    ['neither true nor false', 'R2_SYNC_ENABLED', 'maybe', 'must be true or false'],
    ['no number', 'PORT', 'http', 'must be a whole number from 0 to 65535'],
    ['a fraction', 'R2_BACKUP_INTERVAL_MINUTES', '1.5', 'must be a whole number'],
    ['a negative number', 'R2_BACKUP_RETENTION_DAYS', '-1', 'must be a whole number'],
    ['a number with an exponent', 'DUCKDB_POOL_SIZE', '1e2', 'must be a whole number'],
    ['a number that is too small', 'DUCKDB_POOL_SIZE', '0', 'must be a whole number from 1 to 256'],
    ['a number that is too large', 'R2_MAX_CONCURRENCY', '65', 'must be a whole number from 1 to 64'],
    ['a host with a space', 'HOST', 'my host', 'must be a host name or address'],
    ['a size without a unit', 'DUCKDB_MEMORY_LIMIT', '512', 'must be a size such as 512MB'],
    [
      'an endpoint without a scheme',
      'R2_ENDPOINT',
      's3.example.com',
      'must be an http or https address without a path',
    ],
    ['an endpoint with a path', 'R2_ENDPOINT', 'https://s3.example.com/bucket', 'must be an http or https address'],
    ['a bucket in capitals', 'R2_BUCKET_NAME', 'HeSocial', 'must be a bucket name'],
    ['a prefix without a slash at its end', 'R2_BACKUP_PATH', 'backups', 'must be a prefix that ends in a slash'],
    ['a prefix that leaves its folder', 'R2_BACKUP_PATH', 'a/../../b/', 'must be a prefix that ends in a slash'],
    ['a prefix from the root', 'R2_BACKUP_PATH', '/backups/', 'must be a prefix that ends in a slash'],
    ['a prefix with an empty part', 'R2_BACKUP_PATH', 'a//b/', 'must be a prefix that ends in a slash'],
    ['a database key with a folder', 'R2_DATABASE_KEY', 'a/b.duckdb', 'must be a file name that ends in .duckdb'],
    [
      'a database key with another suffix',
      'R2_DATABASE_KEY',
      'hesocial.db',
      'must be a file name that ends in .duckdb',
    ],
    ['a backup name with a slash', 'R2_BACKUP_NAME', '../x', 'must be a name of letters, digits, dot, hyphen'],
    ['an unknown way out of a conflict', 'R2_RESTORE_ON_CONFLICT', 'both', 'must be one of fail, remote, local'],
  ])('refuses %s in one line that names the variable and the value', (_, variable, value, message) => {
    const lines = linesOf({ [variable]: value });
    expect(lines).toEqual([expect.stringContaining(message)]);
    expect(lines[0]).toMatch(new RegExp(`^${variable}: must .*, not ${JSON.stringify(value).replaceAll('.', '\\.')}$`));
  });

  it('refuses an endpoint with a password, and does not repeat it', () => {
    expect(linesOf({ R2_ENDPOINT: 'https://me:secret@s3.example.com' })).toEqual([
      'R2_ENDPOINT: must be an http or https address without a path or a password',
    ]);
  });

  it('tells a variable that several concerns read once', () => {
    expect(linesOf({ NODE_ENV: 'prod' })).toHaveLength(1);
  });

  it('tells every wrong variable at once, of every concern', () => {
    const lines = linesOf({
      PORT: 'x',
      DUCKDB_PATH: '',
      DUCKDB_POOL_SIZE: '0',
      ALLOW_EMPTY_START: '2',
      LOG_LEVEL: 'all',
    });
    expect(lines.map((line) => line.split(':')[0])).toEqual([
      'PORT',
      'LOG_LEVEL',
      'DUCKDB_POOL_SIZE',
      'ALLOW_EMPTY_START',
    ]);
  });

  it('tells what is missing together with what is wrong', () => {
    expect(linesOf({ R2_SYNC_ENABLED: 'true', R2_MAX_ATTEMPTS: 'often' }).toSorted()).toEqual([
      'R2_ACCESS_KEY_ID: is needed when R2_SYNC_ENABLED is true',
      'R2_ACCOUNT_ID: is needed when R2_SYNC_ENABLED is true and R2_ENDPOINT is unset',
      'R2_MAX_ATTEMPTS: must be a whole number from 1 to 20, not "often"',
      'R2_SECRET_ACCESS_KEY: is needed when R2_SYNC_ENABLED is true',
    ]);
  });

  it('does not call missing what is there and wrong, nor what a wrong one replaces', () => {
    expect(
      linesOf({ ...BUCKET, R2_SECRET_ACCESS_KEY: 'a b', R2_ACCOUNT_ID: undefined, R2_ENDPOINT: 'nowhere' }),
    ).toEqual([
      'R2_ENDPOINT: must be an http or https address without a path or a password, not "nowhere"',
      'R2_SECRET_ACCESS_KEY: must be a secret key',
    ]);
  });

  it('takes an empty value, or one of space, for unset', () => {
    const empty = Object.fromEntries(
      CONCERNS.flatMap((concern) => [...concern.variables().keys()].map((name) => [name, ' '])),
    );
    expect(CONCERNS.map((concern) => concern.parse(empty))).toEqual(CONCERNS.map((concern) => concern.parse({})));
  });

  it('takes space around a value for nothing', () => {
    expect(CONCERNS[0].parse({ PORT: ' 8080 ', NODE_ENV: 'production\t' })).toMatchObject({
      port: 8080,
      production: true,
    });
  });

  it.each(['true', 'TRUE', '1', 'yes', 'on', 'false', 'False', '0', 'no', 'off'])('knows %s as a switch', (value) => {
    const expected = ['true', '1', 'yes', 'on'].includes(value.toLowerCase());
    expect(CONCERNS[3].parse({ BACKUP_ENABLED: value }).enabled).toBe(expected);
  });

  it('takes exactly the whole numbers between the bounds', () => {
    fc.assert(
      fc.property(fc.integer({ min: -10, max: 400 }), (number) => {
        expect(linesOf({ DUCKDB_POOL_SIZE: String(number) })).toHaveLength(number >= 1 && number <= 256 ? 0 : 1);
      }),
    );
  });

  it('ends in lines that name variables, whatever the values are', () => {
    const names = [...new Set(CONCERNS.flatMap((concern) => [...concern.variables().keys()]))];
    const environment = fc.dictionary(fc.constantFrom(...names), fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(environment, (env) => {
        for (const line of linesOf(env)) expect(names).toContain(line.split(':')[0]);
      }),
    );
  });

  it('never repeats the value of a secret', () => {
    const secrets = CONCERNS.flatMap((concern) => [...concern.variables()].filter(([, doc]) => doc.secret === true));
    expect(secrets.map(([name]) => name)).toEqual([
      'R2_ACCESS_KEY_ID',
      'R2_SECRET_ACCESS_KEY',
      'ENCRYPTION_KEY',
      'ADMIN_API_KEYS',
    ]);
    // Space in it makes both R2 secrets wrong, and as a list of keys it is wrong, too.
    const secret = fc.string({ unit: 'grapheme', minLength: 8 }).map((text) => `Zq!${text}\n${text}!zQ`);
    fc.assert(
      fc.property(secret, (value) => {
        const env = { ...BUCKET, ...Object.fromEntries(secrets.map(([name]) => [name, value])) };
        const text = linesOf(env).join('\n');
        expect(
          text.match(/^(R2_ACCESS_KEY_ID|R2_SECRET_ACCESS_KEY|ENCRYPTION_KEY|ADMIN_API_KEYS): /gm)?.length,
        ).toBeGreaterThanOrEqual(4);
        expect(text).not.toContain('Zq!');
        expect(text).not.toContain('!zQ');
      }),
    );
  });
});

describe('a concern', () => {
  it.each(CONCERNS)('$name is injected under the token that Nest registers it by', ({ name, provider }) => {
    expect(provider.KEY).toBe(getConfigToken(name));
  });
});
