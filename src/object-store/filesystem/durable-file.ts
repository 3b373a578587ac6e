import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, link, open, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolder, syncFolder } from '../../runtime/sync-folder.js';
import { isAbsent, systemCode } from './filesystem-errors.js';

/**
 * A file being written under a temporary name. It is visible to nobody until `publish`, so a kill at any moment leaves
 * either no object or a whole one.
 */
export class PendingFile {
  #length = 0;

  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
  ) {}

  static async create(folder: string): Promise<PendingFile> {
    await makeFolder(folder);
    const path = join(folder, `${randomUUID()}.part`);
    return new PendingFile(path, await open(path, 'wx', 0o640));
  }

  get length(): number {
    return this.#length;
  }

  async write(chunk: Buffer): Promise<void> {
    for (let done = 0; done < chunk.length;) {
      const { bytesWritten } = await this.handle.write(chunk, done, chunk.length - done, this.#length);
      done += bytesWritten;
      this.#length += bytesWritten;
    }
  }

  /** Puts the bytes on the disk, gives the file its name (EEXIST when `createOnly` and taken) and makes that durable. */
  async publish(target: string, createOnly: boolean): Promise<void> {
    await this.handle.sync();
    await this.handle.close();
    await makeFolder(dirname(target));
    if (createOnly) await linkOrClaim(this.path, target);
    else await rename(this.path, target);
    await syncFolder(dirname(target));
  }

  /** Closes and removes the temporary name, in every case; a published file keeps its own name. */
  async discard(): Promise<void> {
    await this.handle.close().catch(() => undefined);
    await unlink(this.path).catch((error: unknown) => {
      if (!isAbsent(error)) throw error;
    });
  }
}

/** Gives the file a second name, atomically, failing with EEXIST where the name is taken. */
async function linkOrClaim(temporary: string, target: string): Promise<void> {
  try {
    await link(temporary, target);
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(systemCode(error) ?? '')) throw error;
    await claimAndRename(temporary, target);
  }
}

/**
 * Create-only on file systems without hard links (exFAT, some network shares). `rename` would overwrite and opening the
 * target with `wx` would show a half-written object, so the right to create is an exclusive claim file beside the
 * temporary one: whoever makes it looks whether the name is free, then renames. A kill in between leaves a claim that refuses further creates of this
 * key (EAGAIN) until the upkeep removes it: refused too long is safe, created twice is not.
 */
export async function claimAndRename(temporary: string, target: string): Promise<void> {
  const claim = join(dirname(temporary), `${createHash('sha256').update(target).digest('hex')}.claim`);
  try {
    await (await open(claim, 'wx')).close();
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    if (await exists(target)) throw error;
    throw Object.assign(new Error(`another create of it is under way or was interrupted (${claim})`), {
      code: 'EAGAIN',
    });
  }
  try {
    if (await exists(target)) throw Object.assign(new Error(`${target} exists`), { code: 'EEXIST' });
    await rename(temporary, target);
  } finally {
    await unlink(claim);
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await (await open(path, 'r')).close();
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}
