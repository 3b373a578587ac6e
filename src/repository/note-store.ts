import { inOrder } from '../block-pool/in-order.js';
import { isEiderError } from '../errors/eider-error.js';
import { type ObjectInfo, type ObjectStore, REQUESTS_AT_ONCE } from '../object-store/object-store.js';
import { nameBelow, noteKey, NOTES_PREFIX } from './keys.js';
import type { Manifest } from './manifest.js';
import { decodeNote, encodeNote, type Note } from './note.js';
import { ReadCache } from './read-cache.js';

/** The notes of a repository: what became known of backups after they were taken. */
export class NoteStore {
  readonly #cache: ReadCache<Note>;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly store: ObjectStore) {
    this.#cache = new ReadCache(store, (key, body) => decodeNote(nameBelow(NOTES_PREFIX, key) ?? key, body));
  }

  /** The notes as they are now, by the names of their backups. Only those that changed are read. */
  async all(): Promise<ReadonlyMap<string, Note>> {
    const infos: ObjectInfo[] = [];
    for await (const info of this.store.list(NOTES_PREFIX)) infos.push(info);
    return this.read(infos);
  }

  /** The notes among the objects that a listing has shown. Throws MANIFEST_CORRUPT. */
  async read(listed: readonly ObjectInfo[]): Promise<ReadonlyMap<string, Note>> {
    const notes = new Map<string, Note>();
    const named = listed.flatMap((info) => {
      const name = nameBelow(NOTES_PREFIX, info.key);
      return name === undefined ? [] : [{ name, info }];
    });
    for await (const { name, note } of inOrder(named, REQUESTS_AT_ONCE, async ({ name, info }) => ({
      name,
      note: await this.#cache.get(info),
    }))) {
      // It can have gone since.
      if (note !== undefined) notes.set(name, note);
    }
    this.#cache.keepOnly(new Set(listed.map(({ key }) => key)));
    return notes;
  }

  /** The note of one backup; undefined where there is none. Throws MANIFEST_CORRUPT. */
  async of(name: string): Promise<Note | undefined> {
    try {
      return decodeNote(name, await this.store.read(noteKey(name)));
    } catch (error) {
      if (isEiderError(error, 'STORE_NOT_FOUND')) return undefined;
      throw error;
    }
  }

  /** Changes what is known of a backup, one change after the other; of two processes the last one wins. */
  async change(manifest: Manifest, alter: (note: Note) => Note): Promise<Note> {
    const result = this.#turn.then(async () => {
      const { name, label, pinned } = manifest;
      const before = (await this.of(name)) ?? { label, pinned, verified: null };
      const after = alter(before);
      await this.put(name, after);
      return after;
    });
    this.#turn = result.catch(() => {});
    return result;
  }

  async put(name: string, note: Note): Promise<void> {
    await this.store.put(noteKey(name), encodeNote(note));
  }
}
