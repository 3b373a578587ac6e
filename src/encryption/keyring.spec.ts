import { describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { EncryptionKey } from './encryption-key.js';
import { readKeyring } from './keyring.js';

const [first = '', second = ''] = [1, 2].map(() => randomBytes(32).toString('base64'));
const idOf = (key: string): string =>
  createHash('sha256').update(`eider key id`).update(Buffer.from(key, 'base64')).digest('hex').slice(0, 16);

describe('a key', () => {
  it('has an id that is the beginning of a hash of it', () => {
    expect(EncryptionKey.parse(first)?.id).toBe(idOf(first));
    expect(EncryptionKey.parse(Buffer.alloc(32).toString('base64'))?.id).toBe('8857842fe244d1fc');
  });

  it('is shown by nothing that prints an object', () => {
    const key = EncryptionKey.parse(first);
    const shown = `${inspect(key, { showHidden: true, depth: null })} ${JSON.stringify(key)}`;
    expect(shown).not.toContain(first);
    expect(shown).not.toContain(Buffer.from(first, 'base64').toString('hex').slice(0, 8));
    expect(key?.toBase64()).toBe(first);
  });

  it('is new each time that one is generated', () => {
    expect(EncryptionKey.generate().id).not.toBe(EncryptionKey.generate().id);
  });

  it.each([
    ['nothing', ''],
    ['31 bytes', randomBytes(31).toString('base64')],
    ['33 bytes', randomBytes(33).toString('base64')],
    ['hexadecimal digits', 'ab'.repeat(32)],
    ['no padding', 'A'.repeat(43)],
    ['base64 for addresses', `${'-'.repeat(42)}8=`],
    ['space in it', `${'A'.repeat(20)} ${'A'.repeat(23)}=`],
    ['surplus bits', `${'A'.repeat(42)}B=`],
  ])('cannot be %s', (_, text) => {
    expect(EncryptionKey.parse(text)).toBeUndefined();
  });
});

describe('a keyring', () => {
  it('writes with the first key and reads with all', () => {
    const { keyring, problems } = readKeyring([first, second]);
    expect(problems).toEqual([]);
    expect(keyring.writing?.id).toBe(idOf(first));
    expect(keyring.ids).toEqual([idOf(first), idOf(second)]);
    expect(keyring.find(idOf(second))?.toBase64()).toBe(second);
    expect(keyring.find('0'.repeat(16))).toBeUndefined();
    expect(keyring.isDecided).toBe(true);
  });

  it('writes with none where off comes first, and reads with those behind it', () => {
    const { keyring, problems } = readKeyring(['off', second]);
    expect(problems).toEqual([]);
    expect(keyring.writing).toBeUndefined();
    expect(keyring.find(idOf(second))).toBeDefined();
    expect(keyring.isDecided).toBe(true);
    expect(readKeyring([]).keyring.isDecided).toBe(false);
  });

  it('has a key that is named twice once', () => {
    expect(readKeyring([first, second, first]).keyring.ids).toEqual([idOf(first), idOf(second)]);
  });

  it('tells which entry is wrong and repeats nothing of it', () => {
    const { problems } = readKeyring([first, `${second}x`, '', 'off']);
    expect(problems).toEqual([
      expect.stringMatching(/^entry 2 must be a key of 32 bytes in base64/),
      expect.stringMatching(/^entry 3 must be/),
      'entry 4 is off, which must come first',
    ]);
    expect(problems.join()).not.toContain(second.slice(0, 8));
  });
});
