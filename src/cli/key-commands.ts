import type { Command } from 'commander';
import { type BackupKey, type KeyReport, reportKeys } from '../backup/key-report.js';
import { checkConfiguration } from '../config/configuration.js';
import { type Encryption, encryptionConcern } from '../config/encryption.config.js';
import { loadEnvironmentFile } from '../config/environment-file.js';
import { EncryptionKey } from '../encryption/encryption-key.js';
import { keyLines, putKeyInFront } from '../encryption/key-file.js';
import { EiderError, messageOf } from '../errors/eider-error.js';
import { EXIT_STATUS } from './exit-status.js';
import { runCommand, runPlainCommand } from './session.js';
import { formatTable } from './table.js';

interface JsonOption {
  readonly json?: boolean;
}

/** Adds the commands that look after the keys of encrypted backups. */
export function addKeyCommands(program: Command): void {
  const keys = program.command('key').description('look after the keys of encrypted backups');
  keys
    .command('generate')
    .description('print a new key, in the form of a key file')
    .option('--json', 'print JSON')
    .action(async (options: JsonOption) => {
      await runPlainCommand(options, (output) => {
        const key = EncryptionKey.generate();
        output.result({ key: key.toBase64(), keyId: key.id }, () => keyLines(key).trimEnd());
      });
    });

  keys
    .command('check')
    .description('tell which key writes, and which backups can be read; exit status 3 when one cannot')
    .option('--json', 'print JSON')
    .action(async (options: JsonOption) => {
      await runCommand(options, async ({ core, output }) => {
        const report = await reportKeys(core.repository);
        output.result(report, () => describe(report));
        return report.backups.every(({ readable }) => readable) ? EXIT_STATUS.done : EXIT_STATUS.unsound;
      });
    });

  keys
    .command('rotate')
    .description('put a new key in front: the next backup is a full one under it')
    .option('--json', 'print JSON')
    .action(async (options: JsonOption) => {
      await runPlainCommand(options, async (output) => {
        loadEnvironmentFile();
        checkConfiguration(process.env);
        const encryption = encryptionConcern.parse(process.env);
        requireKey(encryption);
        const key = EncryptionKey.generate();
        if (encryption.keyFile === undefined) {
          const value = `${key.toBase64()},${process.env['ENCRYPTION_KEY']?.trim() ?? ''}`;
          output.result(
            { keyId: key.id, ENCRYPTION_KEY: value },
            () => `# eider key ${key.id}\nENCRYPTION_KEY=${value}`,
          );
          return;
        }
        await putInFrontOf(encryption.keyFile, key);
        output.result({ keyId: key.id, file: encryption.keyFile }, () =>
          [
            `${encryption.keyFile} begins with the new key ${key.id}.`,
            'Keep a copy of the file where the backups are not, and restart the service: the next backup is a full one under this key.',
          ].join('\n'),
        );
      });
    });
}

/** There must be something to rotate: encryption begins, or begins again, on purpose. */
function requireKey({ keyring }: Encryption): void {
  if (keyring.writing !== undefined) return;
  const why = keyring.isDecided ? 'encryption is off' : 'no key is configured';
  throw new EiderError(
    'REQUEST_INVALID',
    `There is no key to rotate: ${why}. Put a key of \`eider key generate\` in the first place of ENCRYPTION_KEY or ENCRYPTION_KEY_FILE.`,
  );
}

async function putInFrontOf(file: string, key: EncryptionKey): Promise<void> {
  try {
    await putKeyInFront(file, key);
  } catch (error) {
    throw new EiderError('CONFIGURATION_INVALID', `ENCRYPTION_KEY_FILE: it cannot be replaced: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function describe({ writes, keys, backups }: KeyReport): string {
  const parts = [writes === null ? 'backups are not encrypted' : `the next backup is encrypted under ${writes}`];
  if (keys.length > 0) {
    const rows = keys.map(({ id, backups: needed }) => [id, needed, useOf(id, writes, needed)]);
    parts.push(formatTable(['key', 'backups', ''], rows));
  }
  const rows = backups.map((backup) => [backup.name, backup.keyId ?? '-', stateOf(backup)]);
  parts.push(rows.length === 0 ? 'there are no backups' : formatTable(['backup', 'key', 'can be read'], rows));
  return parts.join('\n\n');
}

function useOf(id: string, writes: string | null, needed: number): string {
  if (id === writes) return 'writes';
  return needed === 0 ? 'no backup needs it: it may be removed' : 'reads';
}

function stateOf({ readable, error }: BackupKey): string {
  if (error !== null) return `DAMAGED: ${error}`;
  return readable ? 'yes' : 'NO: its key is not configured';
}
