import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '../../test/support/core.js';
import { EncryptionKey } from '../encryption/encryption-key.js';
import { InvalidVariables } from './concern.js';
import { encryptionConcern } from './encryption.config.js';

const [first, second] = [EncryptionKey.generate(), EncryptionKey.generate()];
const both = `${first.toBase64()} , ${second.toBase64()}`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const at = (name: string): string => join(folder.path, name);
beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(at('keys'), `# now\n${first.toBase64()}\n\n# before\n${second.toBase64()}\n`, { mode: 0o600 });
  await writeFile(at('wrong'), `# a slip of the pen\n${first.toBase64().slice(1)}\n`, { mode: 0o600 });
  await writeFile(at('empty'), '# none yet\n', { mode: 0o600 });
  await writeFile(at('open'), first.toBase64());
  await chmod(at('open'), 0o644);
});
afterAll(() => folder.remove());

describe('encryption', () => {
  it('is not configured by default', () => {
    const { keyring, keyFile, warning } = encryptionConcern.parse({});
    expect([keyring.ids, keyring.writing, keyring.isDecided, keyFile, warning]).toEqual([
      [],
      undefined,
      false,
      undefined,
      undefined,
    ]);
  });

  it('takes keys from a variable or from a file: the first one writes', () => {
    for (const env of [{ ENCRYPTION_KEY: both }, { ENCRYPTION_KEY_FILE: at('keys') }]) {
      const { keyring, warning } = encryptionConcern.parse(env);
      expect(keyring.ids).toEqual([first.id, second.id]);
      expect(keyring.writing?.id).toBe(first.id);
      expect(warning).toBeUndefined();
    }
  });

  it('is off where that is said in the first place', () => {
    const { keyring } = encryptionConcern.parse({ ENCRYPTION_KEY: `off,${first.toBase64()}` });
    expect(keyring.writing).toBeUndefined();
    expect(keyring.ids).toEqual([first.id]);
  });

  it('warns of a file that everybody can read', () => {
    const { keyring, warning } = encryptionConcern.parse({ ENCRYPTION_KEY_FILE: at('open') });
    expect(keyring.ids).toEqual([first.id]);
    expect(warning).toMatch(/open \(ENCRYPTION_KEY_FILE\) can be read by every user/);
  });

  it.each<[string, () => Record<string, string>, RegExp]>([
    ['a key that is too short', () => ({ ENCRYPTION_KEY: 'AAAA' }), /^ENCRYPTION_KEY: entry 1 must be a key of 32/],
    ['a key that is missing', () => ({ ENCRYPTION_KEY: `${first.toBase64()},` }), /^ENCRYPTION_KEY: entry 2 must/],
    ['off behind a key', () => ({ ENCRYPTION_KEY: `${first.toBase64()},off` }), /^ENCRYPTION_KEY: entry 2 is off/],
    [
      'a variable and a file',
      () => ({ ENCRYPTION_KEY: both, ENCRYPTION_KEY_FILE: at('keys') }),
      /^ENCRYPTION_KEY_FILE: cannot be set beside ENCRYPTION_KEY/,
    ],
    ['a file that is missing', () => ({ ENCRYPTION_KEY_FILE: at('nowhere') }), /cannot be read: ENOENT/],
    ['a folder', () => ({ ENCRYPTION_KEY_FILE: folder.path }), /cannot be read: it is not a file/],
    ['a file without keys', () => ({ ENCRYPTION_KEY_FILE: at('empty') }), /^ENCRYPTION_KEY_FILE: .* holds no key/],
    ['a file with a wrong key', () => ({ ENCRYPTION_KEY_FILE: at('wrong') }), /^ENCRYPTION_KEY_FILE: entry 1 must/],
  ])('refuses %s, without repeating any of it', (_, env, message) => {
    const attempt = (): unknown => encryptionConcern.parse(env());
    expect(attempt).toThrow(InvalidVariables);
    expect(attempt).toThrow(message);
    for (const key of [first, second]) {
      expect(attempt).not.toThrow(key.toBase64().slice(1, -1));
    }
  });
});
