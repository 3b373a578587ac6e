import { inOrder } from '../block-pool/in-order.js';
import { isEiderError } from '../errors/eider-error.js';
import { manifestKey, nameBelow, noteKey, ownerOf, PENDING_PREFIX } from '../repository/keys.js';
import { type Manifest, objectsOf } from '../repository/manifest.js';
import type { Repository } from '../repository/repository.js';
import { REQUESTS_AT_ONCE } from '../object-store/object-store.js';
import type { ObjectDecision } from './retention-objects.js';

/** Deletes what a plan names, and remembers what was deleted and what the credentials would not allow. */
export class RepositorySweep {
  readonly removed: string[] = [];
  readonly denied: string[] = [];

  /** @param signal - on abort nothing more is begun */
  constructor(
    private readonly repository: Repository,
    private readonly signal?: AbortSignal,
  ) {}

  /** The first phase: backups end. Their manifests go, and the notes of them; their parts stay for a while. */
  async retireAll(manifests: readonly Manifest[], notes: ReadonlyMap<string, unknown>): Promise<void> {
    await this.#each(manifests, async (manifest) => {
      const { name } = manifest;
      if ((await this.retire(name, manifest)) && notes.has(name)) await this.object(noteKey(name));
    });
  }

  /** Ends one backup, whose manifest may be damaged. */
  async retire(name: string, manifest: Manifest | undefined): Promise<boolean> {
    const objects = manifest === undefined ? undefined : objectsOf(manifest);
    return this.#attempt(manifestKey(name), () => this.repository.retire(name, objects));
  }

  /** The second phase: objects that nobody needs any more. The marker of a name goes when everything of that name is gone. */
  async clear(going: readonly ObjectDecision[]): Promise<void> {
    const isMarker = ({ key }: ObjectDecision): boolean => nameBelow(PENDING_PREFIX, key) !== undefined;
    // A backup that took more than a day can have been completed a moment ago: the next run knows what it needs.
    if (await this.#anyCompleted(going.filter(isMarker))) return;
    const spared = new Set<string>();
    await this.#each(
      going.filter((object) => !isMarker(object)),
      async ({ key }) => {
        const owner = ownerOf(key) ?? '';
        if (!(await this.object(key))) spared.add(owner);
      },
    );
    await this.#each(going.filter(isMarker), async ({ key, for: name }) => {
      if (!spared.has(name ?? '')) await this.object(key);
    });
  }

  async #anyCompleted(markers: readonly ObjectDecision[]): Promise<boolean> {
    let completed = false;
    const remains = markers.filter(({ reason }) => reason === 'remains');
    await this.#each(remains, async ({ for: name = '' }) => {
      if (await this.repository.manifests.exists(name)) completed = true;
    });
    return completed;
  }

  /** One object; one that is not there counts as deleted. */
  async object(key: string): Promise<boolean> {
    return this.#attempt(key, () => this.repository.store.delete(key));
  }

  async #each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    const run = async (item: T): Promise<void> => {
      this.signal?.throwIfAborted();
      await work(item);
    };
    for await (const _ of inOrder(items, REQUESTS_AT_ONCE, run));
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
