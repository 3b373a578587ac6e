import { type BigIntStats, statSync } from 'node:fs';
import { EiderError } from '../errors/eider-error.js';

/**
 * Files that this process has open through DuckDB, by device and inode.
 *
 * POSIX locks do not keep a process from opening a file twice: DuckDB would, without an error, and closing any
 * descriptor of the file drops the lock of the first (https://github.com/duckdb/duckdb/issues/24739). By inode, since
 * a symbolic link or another spelling of the path leads to the same lock.
 */
const open = new Set<string>();
const opening = new Set<string>();

const identityOf = ({ dev, ino }: Pick<BigIntStats, 'dev' | 'ino'>): string => `${dev}:${ino}`;

/** True when this process has the file open as a database. Its descriptors must not be opened and closed then. */
export function isOpenHere(file: Pick<BigIntStats, 'dev' | 'ino'>): boolean {
  return open.has(identityOf(file));
}

/**
 * Claims a path before DuckDB opens it.
 *
 * @returns `opened`, to be called when DuckDB has the file open, and `closed`, to be called when it has not, or not any more
 * @throws EiderError DATABASE_LOCKED
 */
export function claimFile(path: string): { opened: () => void; closed: () => void } {
  const existing = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (existing !== undefined && isOpenHere(existing)) throw openTwice(path);
  if (opening.has(path)) throw openTwice(path);
  opening.add(path);
  let identity: string | undefined;
  return {
    opened: () => {
      identity = identityOf(statSync(path, { bigint: true }));
      open.add(identity);
      opening.delete(path);
    },
    closed: () => {
      opening.delete(path);
      if (identity !== undefined) open.delete(identity);
    },
  };
}

function openTwice(path: string): EiderError {
  return new EiderError('DATABASE_LOCKED', `${path} is in use by this process already (${process.pid}).`, {
    details: { path, pid: process.pid },
  });
}
