import { describe, expect, it } from '@jest/globals';
import { aManifest } from '../../test/support/manifests.js';
import { EncryptionKey } from '../encryption/encryption-key.js';
import { Keyring } from '../encryption/keyring.js';
import type { Manifest } from './manifest.js';
import { logHashOf, sealFacts, tablesOf } from './sealed-facts.js';

const NAME = 'hesocial-backup-20260101-000000';
const OTHER = 'hesocial-backup-20260102-000000';
const key = EncryptionKey.generate();
const keyring = Keyring.of([key]);
const hash = '9'.repeat(20);
const sha256 = 'c'.repeat(64);
const tables = ['events', 'users'].map((name) => ({ schema: 'main', name, rows: 6, exact: true, hash }));
const walOf = (name: string) => ({ key: `${name}.duckdb.wal.zst.enc`, length: 100, stored: 90, sha256 });

function encrypted(name: string): Manifest {
  const facts = sealFacts({ name, tables, wal: walOf(name) }, key);
  return aManifest(name, { ...facts, encryption: { algorithm: 'aes-256-gcm', keyId: key.id } });
}

describe('hashes of contents', () => {
  const manifest = encrypted(NAME);
  const [events, users] = manifest.tables as [Manifest['tables'][0], Manifest['tables'][0]];
  const corrupt = expect.objectContaining({ code: 'MANIFEST_CORRUPT' });

  it('are hidden in the manifest of an encrypted backup, and come back with its key', () => {
    expect(JSON.stringify(manifest)).not.toMatch(new RegExp(`${hash}|${sha256}`));
    expect(tablesOf(manifest, keyring)).toEqual(tables);
    expect(logHashOf(manifest, manifest.wal!, keyring)).toBe(sha256);
  });

  it('stay as they are without encryption, and where there are none', () => {
    const facts = { name: NAME, tables, wal: walOf(NAME) };
    expect(sealFacts(facts, undefined)).toEqual({ tables, wal: facts.wal });
    const none = { name: NAME, tables: tables.map((table) => ({ ...table, hash: null })), wal: null };
    expect(sealFacts(none, key)).toEqual({ tables: none.tables, wal: null });
  });

  it.each<[string, () => unknown]>([
    ['of another table', () => tablesOf({ ...manifest, tables: [{ ...events, hash: users.hash }] }, keyring)],
    ['of another backup', () => tablesOf({ ...manifest, tables: [encrypted(OTHER).tables[0]!] }, keyring)],
    ['of another log', () => logHashOf(manifest, { ...manifest.wal!, sha256: encrypted(OTHER).wal!.sha256 }, keyring)],
    ['that are in plain', () => logHashOf(manifest, walOf(NAME), keyring)],
  ])('%s are refused', (_, read) => {
    expect(read).toThrow(corrupt);
  });

  it('are not looked for without the key', () => {
    expect(() => tablesOf(manifest, Keyring.EMPTY)).toThrow(
      expect.objectContaining({ code: 'ENCRYPTION_KEY_MISSING' }),
    );
  });
});
