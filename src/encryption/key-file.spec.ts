import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chmod, mkdir, open, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '../../test/support/core.js';
import { EncryptionKey } from './encryption-key.js';
import { entriesOf, keyLines, putKeyInFront, readKeyFile } from './key-file.js';

const old = EncryptionKey.generate();
const added = EncryptionKey.generate();

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let path: string;
const modeOf = async (file: string): Promise<number> => (await stat(file)).mode & 0o777;

beforeEach(async () => {
  folder = await temporaryFolder();
  path = join(folder.path, 'keys');
  await writeFile(path, `# of 2025\r\n${old.toBase64()}\r\n`, { mode: 0o600 });
});
afterEach(() => folder.remove());

describe('a key file', () => {
  it('has one key in each line; comments and blank lines are passed over', () => {
    expect(entriesOf('# one\n\n  AAA=  \r\n#two\nBBB=')).toEqual(['AAA=', 'BBB=']);
    expect(readKeyFile(path)).toEqual({ entries: [old.toBase64()], readableByAll: false });
  });

  it('is told from one that everybody can read', async () => {
    await chmod(path, 0o644);
    expect(readKeyFile(path).readableByAll).toBe(true);
  });

  it.each([
    ['is missing', async () => folder.path, 'nothing-here', /ENOENT/],
    ['is a folder', async () => mkdir(join(folder.path, 'folder')), 'folder', /not a file/],
    ['is no list of keys', async () => writeFile(join(folder.path, 'large'), Buffer.alloc(70_000)), 'large', /larger/],
  ])('cannot be read where it %s', async (_, make, name, why) => {
    await make();
    expect(() => readKeyFile(join(folder.path, name))).toThrow(why);
  });

  it('gets a new key in front, keeps all it had, and is its owner’s alone', async () => {
    await chmod(path, 0o644);
    const before = await readFile(path, 'utf8');
    await putKeyInFront(path, added);
    expect(await readFile(path, 'utf8')).toBe(`${keyLines(added)}${before}`);
    expect(readKeyFile(path).entries).toEqual([added.toBase64(), old.toBase64()]);
    expect(await modeOf(path)).toBe(0o600);
    expect(await readdir(folder.path)).toEqual(['keys']);
  });

  it('stays readable for its group where somebody chose that', async () => {
    await chmod(path, 0o640);
    await putKeyInFront(path, added);
    expect(await modeOf(path)).toBe(0o640);
  });

  it('stays behind its link', async () => {
    const link = join(folder.path, 'link');
    await symlink('keys', link);
    await putKeyInFront(link, added);
    expect(await readlink(link)).toBe('keys');
    expect(readKeyFile(path).entries).toHaveLength(2);
  });

  it('is not written into what a kill left open to everybody', async () => {
    await writeFile(`${path}.tmp`, 'half', { mode: 0o666 });
    await chmod(`${path}.tmp`, 0o666);
    const spy = await open(`${path}.tmp`, 'r');
    await putKeyInFront(path, added);
    expect(await spy.readFile('utf8')).toBe('half');
    await spy.close();
    expect(await modeOf(path)).toBe(0o600);
  });

  it('is as it was where it cannot be replaced', async () => {
    await mkdir(join(`${path}.tmp`, 'in-the-way'), { recursive: true });
    await expect(putKeyInFront(path, added)).rejects.toThrow();
    expect(readKeyFile(path).entries).toEqual([old.toBase64()]);
  });
});
