import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { EiderError } from '../errors/eider-error.js';
import { createLogger, type ServiceLogger } from './service-logger.js';

const KEY_ID = 'AKIA-0123456789';
const SECRET = 'wJalr"XUtn\\FEMI/K7MD';
const HASH = 'ab'.repeat(32);
const KEYS = ['QUFB', 'QkJC'].map((part) => `${part.repeat(10)}AAA=`);
const env = {
  ENCRYPTION_KEY: KEYS.join(','),
  R2_ACCESS_KEY_ID: KEY_ID,
  R2_SECRET_ACCESS_KEY: ` ${SECRET} `,
  ADMIN_API_KEYS: `ops:admin:${HASH}`,
};

/** Everything that the process writes meanwhile. */
function captured(): { text: () => string; release: () => void } {
  let text = '';
  const write = (chunk: string | Uint8Array): boolean => {
    text += chunk.toString();
    return true;
  };
  const spies = [process.stdout, process.stderr].map((stream) => jest.spyOn(stream, 'write').mockImplementation(write));
  const errors = jest.spyOn(console, 'error').mockImplementation((...parts: unknown[]) => void write(parts.join(' ')));
  return { text: () => text, release: () => [...spies, errors].forEach((spy) => spy.mockRestore()) };
}

describe.each(['text', 'json'] as const)('the log as %s', (logFormat) => {
  let output: ReturnType<typeof captured>;
  let logger: ServiceLogger;

  beforeEach(() => {
    logger = createLogger({ logFormat, logLevel: 'verbose' }, env);
    output = captured();
  });

  afterEach(() => output.release());

  const withSecret = (): Error => new EiderError('STORE_DENIED', `signed with ${SECRET}`, { cause: new Error(KEY_ID) });

  it.each<[string, (log: ServiceLogger) => void]>([
    ['a message', (log) => log.log(`keys ${KEY_ID} and ${SECRET}`, 'Store')],
    ['a message of several arguments', (log) => log.warn('first', `second ${SECRET}`, 'Store')],
    ['an object', (log) => log.log({ sent: { note: SECRET, list: [KEY_ID] } }, 'Store')],
    ['a value that follows the message', (log) => log.log('request', { url: `https://x/?sig=${SECRET}` }, 'Store')],
    ['an error', (log) => log.error(withSecret(), 'Store')],
    ['the stack of an error', (log) => log.error('it failed', withSecret().stack, 'Store')],
    ['the cause of an error', (log) => log.error('it failed', withSecret(), 'Store')],
    ['a fatal error', (log) => log.fatal(withSecret())],
    ['what is worked out late', (log) => log.debug(() => `late ${SECRET}`)],
    ['JSON inside an object', (log) => log.log({ sent: JSON.stringify({ key: SECRET }) }, 'Store')],
    ['one key of a list', (log) => log.log(`sealed with ${KEYS[1]}`)],
    ['the list of admin keys', (log) => log.verbose(`keys: ${env.ADMIN_API_KEYS}`)],
  ])('masks secrets in %s', (_, write) => {
    write(logger);
    expect(output.text()).toContain('[REDACTED]');
    // Without the backslashes that JSON and util.inspect add.
    for (const secret of [KEY_ID, SECRET, HASH, ...KEYS]) {
      expect(output.text().replaceAll('\\', '')).not.toContain(secret.replaceAll('\\', ''));
    }
  });

  it.each(['authorization', 'password', 'secretAccessKey', 'token'])('masks what stands under %s', (name) => {
    logger.log('request', { headers: { [name]: 'anything at all' } }, 'Http');
    expect(output.text()).toContain('[REDACTED]');
    expect(output.text()).not.toContain('anything');
  });

  it('masks any secret wherever it stands in a text or a value', () => {
    const secret = fc.stringMatching(/^k[!-~]{8,40}k$/).filter((text) => !text.includes('REDACTED'));
    fc.assert(
      fc.property(secret, (value) => {
        const own = createLogger({ logFormat, logLevel: 'log' }, { R2_SECRET_ACCESS_KEY: value });
        const before = output.text().length;
        own.log(`<<${value}>>`, { url: `{{${value}}}`, quoted: `'${value}` }, 'Store');
        const line = output.text().slice(before);
        expect(line).toContain('<<[REDACTED]>>');
        expect(line).toContain('{{[REDACTED]}}');
        expect(line.match(/\[REDACTED\]/g)).toHaveLength(3);
      }),
    );
  });

  it('leaves everything else as it is', () => {
    logger.log('the backup took 12 ms', 'Backup');
    expect(output.text()).toContain('the backup took 12 ms');
    expect(output.text()).not.toContain('REDACTED');
  });

  it('leaves out what is less severe than it was told', () => {
    const quiet = createLogger({ logFormat, logLevel: 'warn' }, env);
    quiet.log('ordinary');
    quiet.warn('worth a look');
    quiet.error('broken');
    expect(output.text()).not.toContain('ordinary');
    expect(output.text()).toMatch(/worth a look[^]*broken/);
  });

  it("shows the framework's own lines to debuggers only", () => {
    const ordinary = createLogger({ logFormat, logLevel: 'log' }, env);
    ordinary.log('AppModule dependencies initialized', 'InstanceLoader');
    expect(output.text()).toBe('');
    logger.log('AppModule dependencies initialized', 'InstanceLoader');
    expect(output.text()).toContain('dependencies initialized');
  });
});
