/**
 * Where a sealed thing belongs, as the text that is authenticated with it: bytes that are moved, exchanged, or cut off at the
 * end do not open. Keys are relative to R2_BACKUP_PATH, so that a repository can be copied as a whole.
 *
 * docs/format.md describes each.
 */

/** A block in a pack. Not its offset, which is not known while frames are made side by side; -1 for the headers. */
export const framePlace = (pack: string, block: number): string => `frame ${pack} ${block}`;

/** A block table. */
export const extentPlace = (key: string): string => `extent ${key}`;

/** A part of a write-ahead log. The last one says so: a log that was cut after a whole part does not pass for a whole one. */
export const logPlace = (key: string, index: number, isLast: boolean): string =>
  `wal ${key} ${index} ${isLast ? 'last' : 'more'}`;

/** In a record of the log: the hash of its commits, and of each block. */
export const recordHashPlace = (record: string): string => `record-sha256 ${record}`;
export const recordBlockPlace = (record: string, block: number): string => `record-sha256 ${record} ${block}`;

/** In a manifest: the hash of a log, and what the rows of a table hash to. */
export const logHashPlace = (log: string): string => `wal-sha256 ${log}`;
export const tableHashPlace = (backup: string, table: { readonly schema: string; readonly name: string }): string =>
  `table-hash ${backup} ${JSON.stringify([table.schema, table.name])}`;
