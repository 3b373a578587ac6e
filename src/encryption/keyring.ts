import { EncryptionKey } from './encryption-key.js';

/** In the first place of a list of keys: what is written is not encrypted, the keys behind it still read. */
export const OFF = 'off';

/** The keys of a service: one that writes, or none, and all that read. */
export class Keyring {
  /** Nothing is configured. */
  static readonly EMPTY = new Keyring([], undefined, false);

  private constructor(
    private readonly keys: readonly EncryptionKey[],
    /** The key under which new backups are stored; undefined where they are not encrypted. */
    readonly writing: EncryptionKey | undefined,
    /** Whether somebody has decided: by a key, or by `off`. A variable that got lost is no decision. */
    readonly isDecided: boolean,
  ) {}

  /** The keys of a list: the first one writes, all of them read. */
  static of(keys: readonly EncryptionKey[]): Keyring {
    return new Keyring(distinct(keys), keys[0], keys.length > 0);
  }

  /** Keys that read, while nothing is encrypted any more. */
  static off(keys: readonly EncryptionKey[]): Keyring {
    return new Keyring(distinct(keys), undefined, true);
  }

  /** The key of an id. */
  find(id: string): EncryptionKey | undefined {
    return this.keys.find((key) => key.id === id);
  }

  /** Ids of all keys, the writing one first. */
  get ids(): string[] {
    return this.keys.map(({ id }) => id);
  }
}

/** What a list of keys came to; `problems` name entries by their place and repeat nothing of them. */
export interface ReadKeyring {
  readonly keyring: Keyring;
  readonly problems: readonly string[];
}

/** Reads a list of keys in base64, with `off` in the first place or without it. Pure. */
export function readKeyring(entries: readonly string[]): ReadKeyring {
  const off = entries[0]?.toLowerCase() === OFF;
  const problems: string[] = [];
  const keys: EncryptionKey[] = [];
  for (const [index, entry] of entries.entries()) {
    if (index === 0 && off) continue;
    const key = EncryptionKey.parse(entry);
    if (key !== undefined) keys.push(key);
    else if (entry.toLowerCase() === OFF) problems.push(`entry ${index + 1} is off, which must come first`);
    else problems.push(`entry ${index + 1} must be a key of 32 bytes in base64: 44 characters with = at the end`);
  }
  return { keyring: off ? Keyring.off(keys) : Keyring.of(keys), problems };
}

function distinct(keys: readonly EncryptionKey[]): EncryptionKey[] {
  return [...new Map(keys.map((key) => [key.id, key])).values()];
}
