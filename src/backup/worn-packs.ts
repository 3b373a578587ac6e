import { fullBackupOf } from '../repository/keys.js';
import type { Manifest } from '../repository/manifest.js';

/** Bytes of each pack that a backup uses, by its key. */
export type PackUse = ReadonlyMap<string, number>;

/** A pack is worn where it holds more than three times as much of no use as what is still used. */
const MOST_UNUSED = 3;
/** Less than this is not worth the new block tables, bytes. */
const LEAST_UNUSED = 1024 * 1024;

/**
 * The packs of incremental backups of which little is still used. The next backup stores that little again and needs them
 * no more: a table that is written anew all the time, such as an index, leaves one in every backup.
 *
 * What is stored again is less than a third of what can go for it. Packs of full backups are left to the next full one.
 */
export function wornPacks(packs: Manifest['packs'], use: PackUse): ReadonlySet<string> {
  const worn = packs.filter(({ key, length }) => {
    const used = use.get(key) ?? 0;
    const unused = length - used;
    return fullBackupOf(key) === undefined && unused >= LEAST_UNUSED && unused > used * MOST_UNUSED;
  });
  return new Set(worn.map(({ key }) => key));
}
