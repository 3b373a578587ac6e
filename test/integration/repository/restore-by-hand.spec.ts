import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Manifest } from '../../../src/repository/manifest.js';
import type { EncryptionKey } from '../../../src/encryption/encryption-key.js';
import type { TestCore } from '../../support/core.js';
import { FIRST_KEY, keys, SECOND_KEY } from '../../support/encryption.js';
import { backUp, contentOf, Site } from '../../support/site.js';

const PAGE = readFileSync(new URL('../../../docs/restore-by-hand.md', import.meta.url), 'utf8');
const PROGRAM = /```python\n(.*?)```/s.exec(PAGE)?.[1] ?? '';
/** For encrypted backups. */
const SCRIPT = /```js\n(.*?)```/s.exec(PAGE)?.[1] ?? '';

const missing = (tool: string): boolean => spawnSync(tool, ['--version']).error !== undefined;
/** Where continuous integration runs, the tools are there. */
const withTools = process.env['CI'] !== 'true' && (missing('python3') || missing('zstd')) ? it.skip : it;

let site: Site;
let core: TestCore;
let repository: string;

beforeEach(async () => {
  site = await Site.open('folder');
  repository = join(site.path, 'repository', 'backups');
});
afterEach(async () => site.remove());

/** Puts a backup together as the page says. */
function byHand(name: string, target: string): { status: number | null; stderr: string } {
  const program = join(site.path, 'restore.py');
  writeFileSync(program, PROGRAM);
  mkdirSync(join(site.path, 'by-hand'), { recursive: true });
  return spawnSync('python3', [program, repository, name, join(site.path, 'by-hand', target)], { encoding: 'utf8' });
}

/** The same for an encrypted backup. */
function byHandWith(key: EncryptionKey, name: string, target: string): { status: number | null; stderr: string } {
  const script = join(site.path, 'restore.mjs');
  writeFileSync(script, SCRIPT);
  mkdirSync(join(site.path, 'by-hand'), { recursive: true });
  const args = [script, repository, name, join(site.path, 'by-hand', target)];
  return spawnSync(process.execPath, args, { encoding: 'utf8', env: { PATH: process.env['PATH'], ...keys(key) } });
}

async function contentByHand(manifest: Manifest): Promise<string[]> {
  const target = `${manifest.name}.duckdb`;
  const restored =
    manifest.encryption === null ? byHand(manifest.name, target) : byHandWith(FIRST_KEY, manifest.name, target);
  expect(restored).toMatchObject({ status: 0, stderr: '' });
  const other = site.core('by-hand', { DUCKDB_PATH: join(site.path, 'by-hand', `${manifest.name}.duckdb`) });
  await other.open();
  const content = await contentOf(other);
  await other.close();
  return content;
}

async function begin(env: Record<string, string>): Promise<void> {
  core = site.core('first', env);
  await core.boot();
  await core.write(
    'CREATE TABLE guests (id INTEGER, note VARCHAR)',
    'INSERT INTO guests SELECT range, md5(range::VARCHAR) FROM range(100000)',
  );
}

describe.each([
  ['zstd', 'true', {}],
  ['no compression', 'false', {}],
  ['zstd and encryption', 'true', keys(FIRST_KEY)],
  ['encryption alone', 'false', keys(FIRST_KEY)],
])('the program in docs/restore-by-hand.md, with %s', (_, compress, encryption) => {
  withTools('restores full and incremental backups, with and without a log', async () => {
    await begin({ R2_COMPRESS_UPLOADS: compress, ...encryption });
    const full = await backUp(core);
    expect(await contentByHand(full)).toEqual(await contentOf(core));
    await core.write("UPDATE guests SET note = 'changed' WHERE id = 77");
    const added = await backUp(core);
    expect(added.kind).toBe('incremental');
    expect(await contentByHand(added)).toEqual(await contentOf(core));
    let logged: Manifest | undefined;
    await core.database.transaction(async (session) => {
      await core.write("INSERT INTO guests VALUES (-1, 'in the log')");
      await session.run("UPDATE guests SET note = md5('5') WHERE id = 5");
      logged = await backUp(core, { checkpointTimeoutMs: -1 });
    });
    expect(logged?.wal).not.toBeNull();
    expect(await contentByHand(logged!)).toEqual(await contentOf(core));
  });
});

describe('the program in docs/restore-by-hand.md', () => {
  withTools('refuses a pack that is not what it was', async () => {
    await begin({ R2_COMPRESS_UPLOADS: 'false' });
    const { name, packs } = await backUp(core);
    const pack = join(repository, packs[0]!.key);
    const bytes = readFileSync(pack);
    bytes[300_000] = bytes[300_000]! ^ 1;
    writeFileSync(pack, bytes);
    expect(byHand(name, 'flipped.duckdb').stderr).toMatch(/AssertionError: .* is damaged at byte/);
    truncateSync(pack, 300_000);
    expect(byHand(name, 'cut.duckdb').stderr).toMatch(/AssertionError: .* is damaged at byte/);
  });

  withTools('refuses another key, and an encrypted pack or log that is not what it was', async () => {
    await begin(keys(FIRST_KEY));
    const manifest = await core.database.transaction(async (session) => {
      await session.run("UPDATE guests SET note = 'other' WHERE id = 5");
      await core.write("INSERT INTO guests VALUES (-1, 'in the log')");
      return backUp(core, { checkpointTimeoutMs: -1 });
    });
    expect(byHandWith(SECOND_KEY, manifest.name, 'wrong.duckdb').stderr).toContain(
      `the key is ${SECOND_KEY.id}, not ${FIRST_KEY.id}`,
    );
    for (const key of [manifest.packs[0]!.key, manifest.wal!.key]) {
      const path = join(repository, key);
      const whole = readFileSync(path);
      const bytes = Buffer.from(whole);
      bytes[100] = bytes[100]! ^ 1;
      writeFileSync(path, bytes);
      expect(byHandWith(FIRST_KEY, manifest.name, `${key}.flipped`).stderr).toMatch(/unable to authenticate data/);
      writeFileSync(path, whole);
    }
  });
});
