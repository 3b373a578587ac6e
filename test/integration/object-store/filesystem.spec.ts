import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FilesystemObjectStore } from '../../../src/object-store/filesystem/filesystem-object-store.js';
import { objectStoreContract } from './contract.js';

objectStoreContract('a folder', async () => {
  const root = await mkdtemp(join(tmpdir(), 'eider-folder-'));
  const config = { folder: join(root, 'not/there/yet'), prefix: 'backups/' };
  return {
    store: new FilesystemObjectStore(config),
    other: new FilesystemObjectStore(config),
    partSize: 1024 * 1024,
    dispose: () => rm(root, { recursive: true }),
  };
});

describe('a folder that is a file', () => {
  let root: string;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'eider-folder-'));
  });
  afterEach(() => rm(root, { recursive: true }));

  it.each([
    ['the folder', 'repository'],
    ['the prefix in it', 'repository/backups'],
  ])('is refused and not taken for an empty store, where %s is one', async (_, file) => {
    if (file.includes('/')) await mkdir(join(root, 'repository'));
    await writeFile(join(root, file), '');
    const store = new FilesystemObjectStore({ folder: join(root, 'repository'), prefix: 'backups/' });
    const refused = { code: 'STORE_FAILED', message: expect.stringContaining('a file is where a folder should be') };
    await expect(store.read('repository.json')).rejects.toMatchObject(refused);
    await expect(store.head('repository.json')).rejects.toMatchObject(refused);
    await expect(store.list('').next()).rejects.toMatchObject(refused);
  });
});
