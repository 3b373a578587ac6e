import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BucketConfig } from '../../../src/config/store.config.js';
import type { TestCore } from '../../support/core.js';
import { backUp, Site } from '../../support/site.js';
import { openBucket } from '../object-store/bucket.js';

let site: Site;
let core: TestCore;

beforeEach(async () => {
  site = await Site.open('bucket');
  core = await site.populated();
  await backUp(core);
});
afterEach(async () => site.remove());

/** The same database with another way to the store. */
const throughStore = async (change: Partial<BucketConfig>, machine = 'other'): Promise<TestCore> => {
  const other = site.core(machine, {}, { store: openBucket(site.s3, change) });
  await other.open();
  await other.write('CREATE TABLE guests AS SELECT 1 AS id');
  return other;
};

describe('a backup', () => {
  const WRONG: readonly [string, Partial<BucketConfig>, string][] = [
    ['a wrong key', { secretAccessKey: 'wrong' }, 'STORE_DENIED'],
    ['an unknown access key', { accessKeyId: 'nobody' }, 'STORE_DENIED'],
    ['no credentials', { accessKeyId: '', secretAccessKey: '' }, 'STORE_DENIED'],
    ['a bucket that does not exist', { bucket: 'elsewhere' }, 'STORE_BUCKET_MISSING'],
    ['an endpoint where nobody listens', { endpoint: 'http://127.0.0.1:9' }, 'STORE_UNAVAILABLE'],
    ['an endpoint without a name', { endpoint: 'http://no-such-host.invalid' }, 'STORE_UNAVAILABLE'],
  ];

  it.each(WRONG)('with %s is refused; the database goes on and nothing is written', async (_, change, code) => {
    const keys = site.s3.state.keys();
    const other = await throughStore(change);
    await expect(backUp(other)).rejects.toMatchObject({ code });
    expect(other.backups.status).toMatchObject({ failures: 1, lastError: { code } });
    await other.write('INSERT INTO guests VALUES (2)');
    expect(await other.number('SELECT count(*) FROM guests')).toBe(2);
    expect(site.s3.state.keys()).toEqual(keys);
  });

  it('is refused where the clocks differ, with the difference', async () => {
    site.s3.clockOffsetMs = 20 * 60_000;
    const other = await throughStore({});
    await expect(backUp(other)).rejects.toMatchObject({ code: 'STORE_CLOCK_SKEW' });
    site.s3.clockOffsetMs = 0;
  });

  it('is refused by a web server that is no store', async () => {
    const server: Server = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<!doctype html><title>Welcome</title>');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const other = await throughStore({ endpoint });
      await expect(backUp(other)).rejects.toMatchObject({ code: expect.stringMatching(/^(STORE|REPOSITORY)_/) });
      expect(other.backups.status.last).toBeNull();
      const empty = site.core('empty', {}, { store: openBucket(site.s3, { endpoint }) });
      await expect(empty.boot()).rejects.toMatchObject({ code: expect.stringMatching(/^(STORE|REPOSITORY)_/) });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

describe('a start on an empty machine', () => {
  it.each([
    ['a wrong key', { secretAccessKey: 'wrong' }, 'STORE_DENIED'],
    ['a bucket that does not exist', { bucket: 'elsewhere' }, 'STORE_BUCKET_MISSING'],
    ['an endpoint where nobody listens', { endpoint: 'http://127.0.0.1:9' }, 'START_REFUSED_STORE_UNREACHABLE'],
  ] as const)('with %s creates no empty database', async (_, change, code) => {
    const other = site.core('empty', { ALLOW_EMPTY_START: 'false' }, { store: openBucket(site.s3, change) });
    await expect(other.boot()).rejects.toMatchObject({ code });
    expect(other.database.isOpen).toBe(false);
  });
});

describe('a repository of', () => {
  it.each([
    [
      'another environment',
      { NODE_ENV: 'production', R2_DATABASE_KEY: 'hesocial-backup.duckdb' },
      'REPOSITORY_ENVIRONMENT_MISMATCH',
    ],
    ['another database', { R2_DATABASE_KEY: 'other.duckdb' }, 'REPOSITORY_DATABASE_MISMATCH'],
  ])('%s is never written to, restored from at a start, or cleaned up', async (_, env, code) => {
    const keys = site.s3.state.keys();
    const writes = (): number => site.s3.count('PutObject') + site.s3.count('DeleteObject');
    const before = writes();
    const stranger = site.core('stranger', env);
    await expect(stranger.boot()).rejects.toMatchObject({ code });
    await stranger.open();
    await stranger.write('CREATE TABLE guests AS SELECT 1 AS id');
    await expect(backUp(stranger)).rejects.toMatchObject({ code });
    await expect(stranger.retention.run()).rejects.toMatchObject({ code });
    const { name } = (await core.repository.list()).backups[0] ?? { name: '' };
    await expect(stranger.retention.remove(name)).rejects.toMatchObject({ code });
    await expect(stranger.catalog.annotate(name, { pinned: true })).rejects.toMatchObject({ code });
    expect(site.s3.state.keys()).toEqual(keys);
    expect(writes()).toBe(before);
  });
});
