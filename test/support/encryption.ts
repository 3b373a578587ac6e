import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { unzstd } from './zstd.js';
import { EncryptionKey } from '../../src/encryption/encryption-key.js';
import type { ObjectStore } from '../../src/object-store/object-store.js';

/** Keys of a test, and the variables that configure them. */
export const [FIRST_KEY, SECOND_KEY, THIRD_KEY] = [1, 2, 3].map(() => EncryptionKey.generate()) as [
  EncryptionKey,
  EncryptionKey,
  EncryptionKey,
];

/** ENCRYPTION_KEY with these keys, in their order, or `off`. */
export function keys(...list: readonly (EncryptionKey | 'off')[]): { ENCRYPTION_KEY: string } {
  return { ENCRYPTION_KEY: list.map((key) => (key === 'off' ? key : key.toBase64())).join(',') };
}

/** Every object of a store with the hash of its content. */
export async function objectsIn(store: ObjectStore): Promise<ReadonlyMap<string, string>> {
  const objects = new Map<string, string>();
  for await (const { key } of store.list('')) objects.set(key, sha256(await store.read(key)));
  return objects;
}

/** Every file below a folder with the hash of its content and when it was changed last. */
export async function filesBelow(folder: string): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const { mtimeMs, ino } = await stat(path);
    files.set(path, entry.isFile() ? `${sha256(await readFile(path))} ${ino} ${mtimeMs}` : 'folder');
  }
  return files;
}

/** Where a text stands in a store, as it is stored or decompressed: keys of objects. */
export async function keysWith(store: ObjectStore, text: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of store.list('')) {
    const stored = await store.read(key);
    if (stored.includes(text) || decompressed(stored).includes(text)) found.push(key);
  }
  return found;
}

/** What is no zstd at all holds nothing. */
function decompressed(stored: Buffer): Buffer {
  try {
    return unzstd(stored);
  } catch {
    return Buffer.alloc(0);
  }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
