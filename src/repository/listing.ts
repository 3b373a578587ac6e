import type { ObjectInfo } from '../object-store/object-store.js';
import { type BackupName, compareBackupNames, parseBackupName } from './backup-name.js';
import { classifyKey, type ImageEncoding } from './keys.js';

/** A backup that has a manifest. */
export interface ListedBackup {
  readonly name: string;
  readonly parsed: BackupName;
}

/** A database file in the repository that has no manifest: put there by hand or by another tool. */
export interface ForeignBackup {
  /** The object's key, which is also its name in the API. */
  readonly name: string;
  readonly encoding: ImageEncoding;
  /** Stored bytes. */
  readonly size: number;
  /** From the name where it holds a time, else when the object was written. */
  readonly createdAt: Date;
}

/** What the top level of the repository and `pending/` hold. */
export interface Listing {
  /** Newest first. */
  readonly backups: readonly ListedBackup[];
  /** Newest first. */
  readonly foreign: readonly ForeignBackup[];
  /** Every object seen, by key. */
  readonly objects: ReadonlyMap<string, ObjectInfo>;
  /** Names that a writer has reserved, and since when: a backup under way, or the remains of one that was cut off. */
  readonly pending: ReadonlyMap<string, Date>;
}

/**
 * Makes sense of a listing.
 *
 * A database file without a manifest is a backup by hand, unless its name is reserved in `pending/`: then it is the pack
 * of a backup that was never completed, or that is being removed.
 */
export function readListing(objects: readonly ObjectInfo[], pending: ReadonlyMap<string, Date>): Listing {
  const backups: ListedBackup[] = [];
  const images: { info: ObjectInfo; name: string; encoding: ImageEncoding }[] = [];
  for (const info of objects) {
    const key = classifyKey(info.key);
    if (key.kind === 'manifest') backups.push({ name: key.name, parsed: key.parsed });
    if (key.kind === 'image') images.push({ info, name: key.name, encoding: key.encoding });
  }
  const own = new Set(backups.map(({ name }) => name));
  const foreign = images
    .filter(({ name }) => !own.has(name) && !pending.has(name))
    .map(({ info, name, encoding }) => ({
      name: info.key,
      encoding,
      size: info.size,
      createdAt: parseBackupName(name)?.time ?? info.modifiedAt,
    }));
  return {
    backups: backups.toSorted((a, b) => compareBackupNames(b.parsed, a.parsed)),
    foreign: foreign.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime()),
    objects: new Map(objects.map((info) => [info.key, info])),
    pending,
  };
}
