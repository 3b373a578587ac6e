import { isEiderError } from '../errors/eider-error.js';
import { noteKey, partKeysOf } from '../repository/keys.js';
import type { Repository } from '../repository/repository.js';

/** Deletes what a plan names, and remembers what was deleted and what the credentials would not allow. */
export class RepositorySweep {
  readonly removed: string[] = [];
  readonly denied: string[] = [];

  /** @param present - keys that the listing showed at the top of the repository */
  constructor(
    private readonly repository: Repository,
    private readonly present: ReadonlyMap<string, unknown>,
  ) {}

  /** Ends a backup: its manifest goes before its parts, so that it is never listed with parts missing. */
  async retire(name: string): Promise<boolean> {
    const retired = await this.#attempt(`${name}.json`, () => this.repository.retire(name));
    if (retired) await this.object(noteKey(name));
    return retired;
  }

  /** Packs and logs of a name that is no backup, except what others need; then its reservation. */
  async remains(name: string, needed: ReadonlySet<string>): Promise<void> {
    let gone = true;
    for (const key of partKeysOf(name).filter((candidate) => this.present.has(candidate))) {
      gone = !needed.has(key) && (await this.object(key)) && gone;
    }
    if (gone) await this.#attempt(`pending/${name}.json`, () => this.repository.release(name));
  }

  /** One object; one that is not there counts as deleted. */
  async object(key: string): Promise<boolean> {
    return this.#attempt(key, () => this.repository.store.delete(key));
  }

  async #attempt(key: string, remove: () => Promise<void>): Promise<boolean> {
    try {
      await remove();
      this.removed.push(key);
      return true;
    } catch (error) {
      if (!isEiderError(error, 'STORE_DENIED')) throw error;
      this.denied.push(key);
      return false;
    }
  }
}
