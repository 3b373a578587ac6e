import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { unzstdFile } from '../../support/zstd.js';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { closeDatabase } from '../../../src/backup/close-database.js';
import type { Manifest } from '../../../src/repository/manifest.js';
import type { TestCore } from '../../support/core.js';
import { FIRST_KEY, keys } from '../../support/encryption.js';
import { ADAPTERS, backUp, contentOf, Site } from '../../support/site.js';

/** A second process without Eider: opens a database file as any DuckDB client does and counts its guests. */
const STOCK_CLIENT = `
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const instance = await DuckDBInstance.create(process.argv[1]);
  const connection = await instance.connect();
  const reader = await connection.runAndReadAll('SELECT count(*)::VARCHAR FROM guests');
  console.log(reader.getRows()[0][0]);
`;

let site: Site;
let core: TestCore;

describe.each(ADAPTERS)('a full backup in a %s', (adapter) => {
  beforeEach(async () => {
    site = await Site.open(adapter);
  });
  afterEach(async () => site.remove());

  const start = async (env: Record<string, string> = {}): Promise<void> => {
    core = await site.populated('first', 130_000, env);
    await core.write('CREATE TABLE notes AS SELECT range AS id, md5(range::VARCHAR) AS text FROM range(5000)');
  };

  /** A backup whose log could not be folded, since a transaction that changes rows is open. */
  const withLog = async (): Promise<Manifest> => {
    await core.database.checkpoint({ timeoutMs: 1_000 });
    await core.write("INSERT INTO notes VALUES (-1, 'late')");
    return core.database.transaction(async (session) => {
      await session.run("UPDATE notes SET text = 'never' WHERE id = 5");
      const manifest = await backUp(core, { trigger: 'manual', checkpointTimeoutMs: 1 });
      await session.run("UPDATE notes SET text = md5('5') WHERE id = 5");
      return manifest;
    });
  };

  const OPEN_KINDS: readonly [string, Record<string, string>, boolean][] = [
    ['compressed', {}, false],
    ['compressed, with its log', {}, true],
    ['uncompressed', { R2_COMPRESS_UPLOADS: 'false' }, false],
    ['uncompressed, with its log', { R2_COMPRESS_UPLOADS: 'false' }, true],
  ];

  const KINDS = [
    ...OPEN_KINDS,
    ...OPEN_KINDS.map(([kind, env, log]): (typeof OPEN_KINDS)[number] => [
      `encrypted, ${kind}`,
      { ...env, ...keys(FIRST_KEY) },
      log,
    ]),
  ];

  it.each(KINDS)('%s, is restored on an empty machine', async (_, env, log) => {
    await start(env);
    const manifest = log ? await withLog() : await backUp(core);
    expect(manifest.wal !== null).toBe(log);
    expect(manifest.compression).toBe(env['R2_COMPRESS_UPLOADS'] === undefined ? 'zstd' : 'none');
    expect(manifest.encryption?.keyId).toBe(env['ENCRYPTION_KEY'] === undefined ? undefined : FIRST_KEY.id);
    const content = await contentOf(core);
    expect(await core.verify.verify(manifest.name)).toMatchObject({ ok: true });
    const second = site.core('second', env);
    const outcome = await second.boot();
    expect(outcome.decision).toMatchObject({ row: 'local-missing', backup: manifest.name });
    expect(await contentOf(second)).toEqual(content);
  });

  it.each(OPEN_KINDS)('%s, opens with stock tools alone', async (_, env, log) => {
    await start(env);
    const manifest = log ? await withLog() : await backUp(core);
    const suffix = manifest.compression === 'zstd' ? '.zst' : '';
    const folder = join(site.path, 'by-hand');
    await mkdir(folder);
    for (const part of log ? ['.duckdb', '.duckdb.wal'] : ['.duckdb']) {
      const file = join(folder, `${manifest.name}${part}${suffix}`);
      await writeFile(file, await core.store.read(`${manifest.name}${part}${suffix}`));
      if (suffix !== '') unzstdFile(file);
    }
    const database = join(folder, `${manifest.name}.duckdb`);
    const client = ['--input-type=module', '-e', STOCK_CLIENT, database];
    expect(execFileSync(process.execPath, client, { encoding: 'utf8' }).trim()).toBe('130000');
    await rm(folder, { recursive: true });
  });

  it('of a stop holds everything and makes the next start take none', async () => {
    await start();
    const manifest = await backUp(core, { trigger: 'shutdown', checkpointTimeoutMs: 5_000 });
    const content = await contentOf(core);
    expect(manifest.wal).toBeNull();
    await closeDatabase(core, true);
    const again = site.core('first');
    expect((await again.boot()).decision).toMatchObject({ action: 'keep', row: 'local-up-to-date' });
    expect(await again.backups.create({ trigger: 'interval', onlyIfChanged: true })).toMatchObject({ created: false });
    const second = site.core('second');
    await second.boot();
    expect(await contentOf(second)).toEqual(content);
  });
});
