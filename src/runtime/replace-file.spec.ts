import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '../../test/support/core.js';
import { replaceFile } from './replace-file.js';

describe('replacing a file', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let path: string;

  beforeEach(async () => {
    folder = await temporaryFolder();
    path = join(folder.path, 'state.json');
  });

  afterEach(() => folder.remove());

  it('creates it where it is not there', async () => {
    await replaceFile(path, 'new ☃');
    expect(await readFile(path, 'utf8')).toBe('new ☃');
    expect(await readdir(folder.path)).toEqual(['state.json']);
  });

  it('puts another file in its place: whoever has the old one open keeps reading it whole', async () => {
    await writeFile(path, 'old and longer');
    const before = await stat(path);
    await replaceFile(path, 'new');
    expect(await readFile(path, 'utf8')).toBe('new');
    expect((await stat(path)).ino).not.toBe(before.ino);
  });

  it('is not held up by what a kill left', async () => {
    await writeFile(path, 'old');
    await writeFile(`${path}.tmp`, 'half of something much longer');
    await replaceFile(path, 'new');
    expect(await readFile(path, 'utf8')).toBe('new');
    expect(await readdir(folder.path)).toEqual(['state.json']);
  });

  it('leaves the old one and nothing else where the new one cannot be put in place', async () => {
    await mkdir(join(path, 'a-folder-that-is-not-empty'), { recursive: true });
    await expect(replaceFile(path, 'new')).rejects.toThrow();
    expect(await readdir(folder.path)).toEqual(['state.json']);
    expect(await readdir(path)).toEqual(['a-folder-that-is-not-empty']);
  });

  it('fails where there is no such folder', async () => {
    await expect(replaceFile(join(folder.path, 'missing', 'state.json'), 'new')).rejects.toThrow('ENOENT');
  });
});
