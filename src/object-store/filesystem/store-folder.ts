import { realpath, stat } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { EiderError } from '../../errors/eider-error.js';
import { checkKey } from '../object-key.js';
import { isAbsent, systemCode } from './filesystem-errors.js';

/** Folder of temporary files, in the same file system as the objects so that they can be linked. */
export const PENDING = '.eider-pending';

/** The folder below which objects are files, and where each key is in it. It need not exist yet. */
export class StoreFolder {
  /** Where temporary files are. */
  readonly pending: string;

  constructor(
    /** Absolute. */
    readonly root: string,
    private readonly description: string,
  ) {
    this.pending = join(root, PENDING);
  }

  /** Path of a key; refuses keys of the temporary folder and folders that a symbolic link leads out of the root. */
  async pathOf(key: string): Promise<string> {
    checkKey(key);
    if (key === PENDING || key.startsWith(`${PENDING}/`)) {
      throw new EiderError('STORE_KEY_INVALID', `The key ${key} is refused: ${PENDING} holds temporary files.`);
    }
    const path = join(this.root, key);
    const root = await this.realRoot();
    const folder = await this.#deepestFolder(dirname(path));
    if (folder !== root && !folder.startsWith(root + sep)) {
      throw new EiderError('STORE_DENIED', `The key ${key} leads out of ${this.description} by a symbolic link.`);
    }
    return path;
  }

  /**
   * The real path of the root, which need not exist yet. A file in its place is refused: it would look like an empty store,
   * and an empty database would be created beside a repository that is only misspelt.
   */
  async realRoot(): Promise<string> {
    try {
      const root = await realpath(this.root);
      if ((await stat(root)).isDirectory()) return root;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return this.root;
      if (systemCode(error) !== 'ENOTDIR') throw error;
    }
    throw new EiderError('STORE_FAILED', `${this.description} cannot be used: a file is where a folder should be.`);
  }

  /** The real path of the folder, or of the nearest one above it that exists: the place where new folders would go. */
  async #deepestFolder(path: string): Promise<string> {
    if (path.length <= this.root.length) return await realpath(this.root).catch(absentAs(this.root));
    return (await realpath(path).catch(absentAs(undefined))) ?? (await this.#deepestFolder(dirname(path)));
  }
}

function absentAs<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (isAbsent(error)) return value;
    throw error;
  };
}
