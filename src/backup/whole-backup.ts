import type { ObjectInfo } from '../object-store/object-store.js';
import type { Manifest } from '../repository/manifest.js';

/** Objects that were listed, by key. */
type Listed = ReadonlyMap<string, ObjectInfo>;

/** Whether the packs and the log of a backup are there, with the lengths that its manifest says. */
export function hasParts({ packs, wal }: Pick<Manifest, 'packs' | 'wal'>, objects: Listed): boolean {
  const expected = [...packs, ...(wal === null ? [] : [{ key: wal.key, length: wal.stored }])];
  return expected.every(({ key, length }) => objects.get(key)?.size === length);
}

/** Whether every object that restoring a backup reads is there, in a listing of all of them. */
export function isWhole(manifest: Manifest, objects: Listed): boolean {
  return hasParts(manifest, objects) && manifest.extents.every(({ key }) => objects.has(key));
}
