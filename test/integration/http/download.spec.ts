import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { DuckDBInstance } from '@duckdb/node-api';
import { createWriteStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { get as httpGet } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BackupService } from '../../../src/backup/backup.service.js';
import { DatabaseService } from '../../../src/database/database.service.js';
import { KEYS } from '../../support/admin-keys.js';
import { S3Double } from '../../support/s3/s3-double.js';
import { TestService } from '../../support/service.js';
import { openBucket } from '../object-store/bucket.js';

let double: S3Double;
let service: TestService;
beforeAll(async () => {
  double = await S3Double.start();
  service = await TestService.start({ store: openBucket(double, { maxAttempts: 1 }) });
});
afterAll(async () => {
  double.faults.clear();
  await service.close();
  await double.stop();
});

const taken = async () => (await service.get(BackupService).create({ trigger: 'manual' })).manifest;
const write = (sql: string) => service.get(DatabaseService).write((session) => session.run(sql));
/** Changes the file, so that not every block of a backup is on the disk; returns a pattern of the packs that are then read. */
async function moveOn(): Promise<RegExp> {
  await write('CREATE OR REPLACE TABLE later AS SELECT range AS n FROM range(1000)');
  expect(await service.get(DatabaseService).checkpoint({ timeoutMs: 2_000 })).toBe(true);
  return /\.(duckdb|blocks)\.zst$/;
}

/** Files that a download works on. */
const workingCopies = async () => (await readdir(service.folder)).filter((name) => name.includes('.restoring-'));

describe('GET /admin/backups/:name/download', () => {
  const at = (name: string) => `/admin/backups/${name}/download`;

  /** Resolves when no working copy is left. */
  async function tidy(): Promise<void> {
    while ((await workingCopies()).length > 0) await new Promise((resolve) => setImmediate(resolve));
  }

  test('sends a database file that opens, and leaves nothing behind', async () => {
    const { name, tables } = await taken();
    const response = await service.fetch(at(name), { key: KEYS.admin });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    expect(response.headers.get('content-disposition')).toBe(`attachment; filename="${name}.duckdb"`);
    const file = join(service.folder, `${name}.downloaded`);
    await pipeline(Readable.fromWeb(response.body as never), createWriteStream(file));
    expect((await stat(file)).size).toBe(Number(response.headers.get('content-length')));
    const instance = await DuckDBInstance.create(file, { access_mode: 'READ_ONLY' });
    const connection = await instance.connect();
    const reader = await connection.runAndReadAll('SELECT count(*)::INTEGER FROM users');
    expect(reader.getRows()).toEqual([[tables.find((table) => table.name === 'users')?.rows]]);
    connection.closeSync();
    instance.closeSync();
    await tidy();
  });

  test('takes the name of the pack, too', async () => {
    const { name } = await taken();
    const response = await service.fetch(at(`${name}.duckdb.zst`), { key: KEYS.admin });
    expect(response.headers.get('content-disposition')).toBe(`attachment; filename="${name}.duckdb"`);
    await response.arrayBuffer();
    await tidy();
  });

  test('leaves nothing behind when the client goes away before the first byte', async () => {
    const { name } = await taken();
    const fetching = double.faults.hold({ method: 'GET', key: await moveOn() });
    const away = new AbortController();
    const answer = service.fetch(at(name), { key: KEYS.admin }, away.signal);
    await fetching.reached;
    expect(await workingCopies()).toHaveLength(1);
    away.abort();
    await expect(answer).rejects.toThrow();
    // The request to the store is given up: nothing waits for this gate any more.
    await tidy();
    fetching.open();
  });

  test('restores nothing when only its headers are asked for', async () => {
    const { name } = await taken();
    const before = double.count('GetObject');
    const response = await service.fetch(at(name), { key: KEYS.admin, method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    expect(response.headers.get('content-disposition')).toBe(`attachment; filename="${name}.duckdb"`);
    expect(response.headers.get('content-length')).toBeNull();
    expect(double.count('GetObject')).toBe(before);
    const missing = await service.fetch(at('nothing'), { key: KEYS.admin, method: 'HEAD' });
    expect(missing.status).toBe(404);
    const viewer = await service.fetch(at(name), { key: KEYS.viewer, method: 'HEAD' });
    expect(viewer.status).toBe(403);
  });

  test('of a damaged pack is refused before anything is sent', async () => {
    const { name } = await taken();
    double.faults.flipBit(40, { key: await moveOn() }, Infinity);
    const answer = await service.send(at(name), { key: KEYS.admin });
    double.faults.clear();
    expect(answer.body).toMatchObject({ status: 500, code: 'BACKUP_DAMAGED' });
    expect(answer.headers.get('content-disposition')).toBeNull();
    await tidy();
  });

  test('leaves nothing behind when the client goes away in the middle', async () => {
    // More than the sockets between the two hold.
    await write('CREATE TABLE ballast AS SELECT md5(random()::VARCHAR) AS text FROM range(800000)');
    const { name } = await taken();
    await write('DROP TABLE ballast');
    await new Promise<void>((resolve, reject) => {
      const headers = { authorization: `Bearer ${KEYS.admin}` };
      httpGet(`${service.url}/api${at(name)}`, { headers }, (response) => {
        expect(Number(response.headers['content-length'])).toBeGreaterThan(16_000_000);
        response.once('data', () => response.destroy());
        response.once('close', resolve);
      }).once('error', reject);
    });
    await tidy();
  });
});
