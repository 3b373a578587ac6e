import { readdir, readFile, stat } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';

type FileIdentity = Pick<BigIntStats, 'dev' | 'ino'>;

/**
 * The process that holds a lock on a file, where the system tells: Linux lists POSIX locks in /proc/locks as
 * `1: POSIX ADVISORY WRITE <pid> <major>:<minor>:<inode> <start> <end>`.
 *
 * @returns undefined when nobody does, or the system does not tell
 */
export async function lockHolder(file: FileIdentity): Promise<number | undefined> {
  let text: string;
  try {
    text = await readFile('/proc/locks', 'utf8');
  } catch {
    return undefined;
  }
  for (const line of text.split('\n')) {
    const match = /POSIX\s+ADVISORY\s+\w+\s+(\d+)\s+[0-9a-f]+:[0-9a-f]+:(\d+)\s/.exec(line);
    if (match === null || BigInt(match[2] ?? '-1') !== file.ino) continue;
    const pid = Number(match[1]);
    if (await hasOpen(pid, file)) return pid;
  }
  return undefined;
}

/**
 * Whether a process has the file open. Inodes are unique within a device only, and the device that /proc/locks names is
 * not the one that stat tells on every file system; where the descriptors of the process cannot be looked at, it counts
 * as one that has: starting beside another process would be worse than not starting.
 */
async function hasOpen(pid: number, { dev, ino }: FileIdentity): Promise<boolean> {
  const folder = `/proc/${pid}/fd`;
  let descriptors: string[];
  try {
    descriptors = await readdir(folder);
  } catch {
    return true;
  }
  for (const descriptor of descriptors) {
    // Descriptors come and go while they are looked at.
    const status = await stat(`${folder}/${descriptor}`, { bigint: true }).catch(() => undefined);
    if (status?.ino === ino && status.dev === dev) return true;
  }
  return false;
}
