import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { TestCore } from '../support/core.js';
import { Stage } from '../support/stage.js';
import { makeLoadDatabase, missingFrom } from '../support/registrations.js';
import { bucketOf, environmentIn, TestService } from '../support/processes.js';

const PACK = /\.duckdb\.zst$/;

let stage: Stage;

beforeEach(async () => {
  stage = await Stage.set();
});
afterEach(() => stage.clear());

/** A start that does not come to serving. */
async function refused(env: Record<string, string>): Promise<TestService> {
  const service = stage.run(new TestService(env));
  expect(await service.exited).toBe(1);
  return service;
}

describe('a start is refused with 1', () => {
  it('for wrong variables, one line each, without any secret', async () => {
    const service = await refused(
      environmentIn(stage.path, {
        PORT: 'http',
        SHUTDOWN_TIMEOUT_SECONDS: '-1',
        R2_SYNC_ENABLED: 'true',
        R2_SECRET_ACCESS_KEY: 'very-secret-key',
        ADMIN_API_KEYS: 'somebody:admin:not-a-hash',
      }),
    );
    const lines = service.stderr.split('\n');
    expect(lines[0]).toBe('Eider could not start (CONFIGURATION_INVALID)');
    for (const name of ['PORT', 'SHUTDOWN_TIMEOUT_SECONDS', 'R2_ACCOUNT_ID', 'R2_ACCESS_KEY_ID', 'ADMIN_API_KEYS']) {
      expect(lines.filter((line) => line.startsWith(`${name}: `))).toHaveLength(1);
    }
    expect(service.output).not.toMatch(/very-secret-key|not-a-hash/);
    expect(await readdir(stage.path)).toEqual([]);
  });

  it('when the folder of the repository is a file: no empty database is created beside it', async () => {
    await writeFile(join(stage.path, 'repository'), '');
    const service = await refused(environmentIn(stage.path));
    expect(service.stderr).toContain('STORE_FAILED');
    expect(existsSync(stage.database)).toBe(false);
  });

  it('when there is no local database and the store is down: nothing is created', async () => {
    const double = await stage.double();
    await double.goDown();
    const service = await refused(environmentIn(stage.path, bucketOf(double)));
    expect(service.stderr).toContain('START_REFUSED_STORE_UNREACHABLE');
    expect(service.stderr).toContain('ALLOW_EMPTY_START=true');
    expect(service.output).not.toContain(double.credentials.secretAccessKey);
    expect(existsSync(stage.database)).toBe(false);
  });

  it('when the local database and the repository have both gone on, and keeps both', async () => {
    const env = environmentIn(stage.path);
    const first = new TestCore(stage.path);
    await first.open();
    await first.write('CREATE TABLE here (n INTEGER)');
    await first.close();
    const elsewhere = new TestCore(stage.path, first.store, { DUCKDB_PATH: join(stage.path, 'other.duckdb') });
    await elsewhere.open();
    await elsewhere.write('CREATE TABLE there (n INTEGER)');
    await elsewhere.backups.create({ trigger: 'manual' });
    await elsewhere.close();
    const before = await readFile(stage.database);
    const service = await refused(env);
    expect(service.stderr).toContain('RESTORE_CONFLICT');
    expect(service.stderr).toContain('R2_RESTORE_ON_CONFLICT=remote or local');
    expect((await readFile(stage.database)).equals(before)).toBe(true);
  });

  it('when another instance has the database, which is named and goes on unharmed', async () => {
    await makeLoadDatabase(stage.path);
    const env = environmentIn(stage.path);
    const first = await stage.serve(env);
    // What a restore of the first one would have beside the database.
    const workingCopy = `${stage.database}.restoring-12345678`;
    const journal = `${stage.database}.eider-swap.json`;
    await writeFile(workingCopy, 'half');
    await writeFile(journal, JSON.stringify({ format: 1, replacement: workingCopy, aside: 'nowhere', old: [4] }));
    const second = await refused(env);
    expect(second.stderr).toContain('DATABASE_LOCKED');
    expect(second.stderr).toContain(`in use by process ${first.pid}`);
    expect(existsSync(workingCopy) && existsSync(journal)).toBe(true);
    expect((await first.fetch('/events/1/registrations', { json: { userId: 1 } })).status).toBe(201);
    expect(await missingFrom(first, [{ eventId: 1, userId: 1 }])).toEqual([]);
  });

  it('when the port is taken: it says so, and the database is closed again', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    const service = await refused(environmentIn(stage.path, { PORT: String(port) }));
    await new Promise((resolve) => other.close(resolve));
    expect(service.stderr).toContain(`PORT: ${port} is in use by another program on 127.0.0.1.`);
    expect(service.stderr).not.toMatch(/^\s+at /m);
    expect(existsSync(stage.database)).toBe(true);
    expect(existsSync(`${stage.database}.wal`)).toBe(false);
  });

  it('when a migration fails: the database is closed again', async () => {
    const core = new TestCore(stage.path);
    await core.open();
    await core.write('CREATE TABLE users (id INTEGER)');
    await core.close();
    const service = await refused(environmentIn(stage.path));
    expect(service.stderr).toContain('MIGRATION_FAILED');
    expect(existsSync(`${stage.database}.wal`)).toBe(false);
  });

  it('when the database path is a folder', async () => {
    await mkdir(stage.database);
    const service = await refused(environmentIn(stage.path));
    expect(service.stderr).toContain(`${stage.database} is a folder`);
  });
});

describe.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)('%s during the restore of a start', (signal, status) => {
  it(`ends the process with ${status}, and the next start restores`, async () => {
    const double = await stage.double();
    await makeLoadDatabase(stage.path);
    const env = environmentIn(stage.path, bucketOf(double));
    const service = await stage.serve(env);
    expect((await service.fetch('/events/1/registrations', { json: { userId: 1 } })).status).toBe(201);
    expect(await service.stop()).toBe(0);
    await stage.wipe();

    const gate = double.faults.hold({ method: 'GET', key: PACK });
    const restoring = stage.run(new TestService(env));
    await gate.reached;
    expect(await restoring.stop(signal)).toBe(status);
    expect(restoring.stderr).toContain(`${signal} during the start: nothing was replaced`);
    expect(existsSync(stage.database)).toBe(false);
    double.faults.clear();

    const next = await stage.serve(env);
    expect(await missingFrom(next, [{ eventId: 1, userId: 1 }])).toEqual([]);
    expect((await readdir(stage.path)).filter((name) => name.includes('.restor'))).toEqual([]);
  });
});
