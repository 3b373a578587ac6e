import { readFileSync, statSync } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { replaceFile } from '../runtime/replace-file.js';
import type { EncryptionKey } from './encryption-key.js';

/** More than a thousand keys have. */
const MOST_BYTES = 65_536;

const READABLE_BY_ALL = 0o004;
const READABLE_BY_GROUP = 0o040;
const OWNER_ONLY = 0o600;

/** What a key file holds. */
export interface KeyFile {
  /** One for each line that is neither blank nor a comment. */
  readonly entries: readonly string[];
  /** Every user of the machine can read it. */
  readonly readableByAll: boolean;
}

/** Reads a key file. Throws for what cannot be read, or is no file: a pipe would keep a start waiting. */
export function readKeyFile(path: string): KeyFile {
  const stats = statSync(path);
  if (!stats.isFile()) throw new Error('it is not a file');
  if (stats.size > MOST_BYTES) throw new Error(`it is larger than ${MOST_BYTES} bytes`);
  return { entries: entriesOf(readFileSync(path, 'utf8')), readableByAll: (stats.mode & READABLE_BY_ALL) !== 0 };
}

/** The lines of a key file that say something. Pure. */
export function entriesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** A key as it stands in a key file: a comment with its id, then the key. */
export function keyLines(key: EncryptionKey): string {
  return `# eider key ${key.id}\n${key.toBase64()}\n`;
}

/**
 * Puts a key in front of those of a key file, in one durable step: a kill leaves the old file or the new one.
 *
 * The owner stays, since the service may be another user than the one who rotates. Only the owner can read it then, and its
 * group where it could, and not everybody could, before: that was somebody's choice.
 */
export async function putKeyInFront(path: string, key: EncryptionKey): Promise<void> {
  // A link stays a link.
  const file = await realpath(path);
  const { mode, uid, gid } = await stat(file);
  const group = (mode & READABLE_BY_ALL) === 0 ? mode & READABLE_BY_GROUP : 0;
  const text = `${keyLines(key)}${readFileSync(file, 'utf8')}`;
  await replaceFile(file, text, { mode: OWNER_ONLY | group, uid, gid });
}
