import type { ConfigType } from '@nestjs/config';
import { readKeyFile } from '../encryption/key-file.js';
import { Keyring, readKeyring } from '../encryption/keyring.js';
import { systemCode } from '../errors/system-error.js';
import { messageOf } from '../errors/eider-error.js';
import { concern, type Refuse } from './concern.js';
import { text } from './variable.js';

/** The keys of encrypted backups. */
export interface Encryption {
  readonly keyring: Keyring;
  /** Where the keys are kept, if that is a file. */
  readonly keyFile: string | undefined;
  /** What is allowed, and should not be; undefined where all is well. */
  readonly warning: string | undefined;
}

/** The keys of encrypted backups. */
export const encryptionConcern = concern(
  'encryption',
  'The keys of encrypted backups. Keep them where the backups are not: without them the backups are lost.',
  {
    ENCRYPTION_KEY: text(undefined, /^[^\0]+$/, 'keys of 32 bytes in base64, comma-separated', {
      about:
        'Encrypts backups (AES-256-GCM). The first key writes, all of them read; "off" in the first place ends encryption while the keys behind it still read.',
      default: 'unset: nothing is encrypted',
      example: '',
      secret: true,
    }),
    ENCRYPTION_KEY_FILE: text(undefined, /^[^\0]+$/, 'a path', {
      about: 'The same as a file with one key in each line; blank lines and those that begin with # are passed over.',
      default: 'unset',
    }),
  },
  (env, refuse): Encryption => {
    const { ENCRYPTION_KEY: keys, ENCRYPTION_KEY_FILE: keyFile } = env;
    if (keyFile === undefined) {
      return { keyring: keyringOf('ENCRYPTION_KEY', keys?.split(','), refuse), keyFile, warning: undefined };
    }
    if (keys !== undefined) {
      refuse('ENCRYPTION_KEY_FILE', 'cannot be set beside ENCRYPTION_KEY: which key writes would not be clear');
    }
    return fromFile(keyFile, refuse);
  },
);

function fromFile(keyFile: string, refuse: Refuse): Encryption {
  const variable = 'ENCRYPTION_KEY_FILE';
  try {
    const { entries, readableByAll } = readKeyFile(keyFile);
    if (entries.length === 0) refuse(variable, `${JSON.stringify(keyFile)} holds no key`);
    const warning = readableByAll
      ? `${keyFile} (${variable}) can be read by every user of this machine: chmod 600`
      : undefined;
    return { keyring: keyringOf(variable, entries, refuse), keyFile, warning };
  } catch (error) {
    refuse(variable, `${JSON.stringify(keyFile)} cannot be read: ${systemCode(error) ?? messageOf(error)}`);
    return { keyring: Keyring.EMPTY, keyFile, warning: undefined };
  }
}

function keyringOf(variable: string, entries: readonly string[] | undefined, refuse: Refuse): Keyring {
  if (entries === undefined) return Keyring.EMPTY;
  const { keyring, problems } = readKeyring(entries.map((entry) => entry.trim()));
  for (const problem of problems) refuse(variable, problem);
  return keyring;
}

export const encryptionConfig = encryptionConcern.provider;
export type EncryptionConfig = ConfigType<typeof encryptionConfig>;
