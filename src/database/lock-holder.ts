import { readFile } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';

/**
 * The process that holds a lock on a file, where the system tells: Linux lists POSIX locks in /proc/locks as
 * `1: POSIX ADVISORY WRITE <pid> <major>:<minor>:<inode> <start> <end>`.
 *
 * @returns undefined when nobody does, or the system does not tell
 */
export async function lockHolder(file: Pick<BigIntStats, 'ino'>): Promise<number | undefined> {
  let text: string;
  try {
    text = await readFile('/proc/locks', 'utf8');
  } catch {
    return undefined;
  }
  for (const line of text.split('\n')) {
    const match = /POSIX\s+ADVISORY\s+\w+\s+(\d+)\s+[0-9a-f]+:[0-9a-f]+:(\d+)\s/.exec(line);
    if (match !== null && BigInt(match[2] ?? '-1') === file.ino) return Number(match[1]);
  }
  return undefined;
}
