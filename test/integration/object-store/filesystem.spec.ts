import { mkdtemp, rm } from 'node:fs/promises';
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
