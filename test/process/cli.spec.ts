import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cp, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Stage } from '../support/stage.js';
import { TestCore } from '../support/core.js';
import { bucketOf, environmentIn, runCli } from '../support/processes.js';

/**
 * One database with two backups for the whole file, since every command is a process: 10 guests in the first backup, 20 in
 * the second, 30 in the database. Tests that change something work on a copy.
 */
let stage: Stage;
let older: string;
let newer: string;

beforeAll(async () => {
  stage = await Stage.set();
  await mkdir(join(stage.path, 'given'));
  const core = new TestCore(join(stage.path, 'given'));
  await core.open();
  const backUp = async (): Promise<string> => {
    const outcome = await core.backups.create({ trigger: 'manual', full: true });
    if (!outcome.created) throw new Error('no backup was taken');
    core.clock.advance(60_000);
    return outcome.manifest.name;
  };
  await core.write('CREATE TABLE guests (id INTEGER)', 'INSERT INTO guests SELECT range FROM range(10)');
  older = await backUp();
  await core.write('INSERT INTO guests SELECT range FROM range(10, 20)');
  newer = await backUp();
  await core.write('INSERT INTO guests SELECT range FROM range(20, 30)');
  await core.close();
});
afterAll(() => stage.clear());

let copies = 0;

/** A copy of database and repository, and the variables for it. */
async function copy(): Promise<{ folder: string; env: Record<string, string> }> {
  const folder = join(stage.path, `copy-${++copies}`);
  await cp(join(stage.path, 'given'), folder, { recursive: true });
  return { folder, env: environmentIn(folder) };
}

const given = (): Record<string, string> => environmentIn(join(stage.path, 'given'));

async function guestsIn(folder: string, file = 'hesocial.duckdb'): Promise<number> {
  const core = new TestCore(folder, undefined, { DUCKDB_PATH: resolve(folder, file) });
  await core.open();
  try {
    return await core.number('SELECT count(*) FROM guests');
  } finally {
    await core.close();
  }
}

async function addGuest(folder: string): Promise<void> {
  const core = new TestCore(folder);
  await core.open();
  try {
    await core.write('INSERT INTO guests VALUES (1000)');
  } finally {
    await core.close();
  }
}

describe('eider backup', () => {
  it('takes a backup of everything in the database, and tells about it', async () => {
    const { env } = await copy();
    const { status, stdout } = await runCli(['backup', '--label', 'before the gala', '--pin'], env);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^label +before the gala$/m);
    expect(stdout).toMatch(/^pinned +true$/m);
    expect(stdout).toMatch(/^tables +guests 30$/m);
  });

  it('prints the manifest with --json, and nothing else', async () => {
    const { env } = await copy();
    const { status, stdout, stderr } = await runCli(['backup', '--json'], env);
    expect(status).toBe(0);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toMatchObject({ trigger: 'manual', parent: newer, tables: [{ rows: 30 }] });
  });

  it('leaves a database that a start keeps as it is', async () => {
    const { folder, env } = await copy();
    await runCli(['backup'], env);
    const { stdout } = await runCli(['restore', '--at-start', '--json'], env);
    expect(JSON.parse(stdout)).toMatchObject({ decision: { action: 'keep', row: 'local-up-to-date' }, restored: null });
    expect(await guestsIn(folder)).toBe(30);
  });
});

describe('eider backup --if-changed', () => {
  it('takes one of what is new, then none until there is something new again', async () => {
    const { folder, env } = await copy();
    const command = ['backup', '--if-changed', '--json'];
    const first = await runCli(command, env);
    expect(first).toMatchObject({ status: 0, stderr: '' });
    const { name, ...created } = JSON.parse(first.stdout) as Record<string, unknown>;
    expect(created).toMatchObject({ parent: newer, tables: [{ rows: 30 }] });
    expect(created).not.toHaveProperty('unchanged');
    for (const _ of [1, 2]) {
      const again = await runCli(command, env);
      expect(again).toMatchObject({ status: 0, stderr: '' });
      expect(JSON.parse(again.stdout)).toMatchObject({ ...created, name, unchanged: true });
    }
    await addGuest(folder);
    const { stdout } = await runCli(command, env);
    expect(JSON.parse(stdout)).toMatchObject({ parent: name, tables: [{ rows: 31 }] });
  });

  it('says that none was taken, and tells about the newest one', async () => {
    const { env } = await copy();
    await runCli(['backup'], env);
    const { stdout: list } = await runCli(['list'], env);
    const { status, stdout } = await runCli(['backup', '--if-changed'], env);
    expect(status).toBe(0);
    const [, name = ''] = /^nothing has changed since (\S+): no backup was taken\n\n/.exec(stdout) ?? [];
    expect(stdout).toMatch(new RegExp(`^name +${name}$`, 'm'));
    expect(stdout).toMatch(/^tables +guests 30$/m);
    expect((await runCli(['list'], env)).stdout).toBe(list);
  });

  it('writes nothing into the bucket where none is taken', async () => {
    const { folder } = await copy();
    const double = await stage.double();
    const env = environmentIn(folder, bucketOf(double));
    expect((await runCli(['backup'], env)).status).toBe(0);
    const before = double.log.length;
    expect((await runCli(['backup', '--if-changed'], env)).stdout).toContain('no backup was taken');
    const later = double.log.slice(before);
    expect(later.length).toBeGreaterThan(0);
    expect(later.filter(({ method }) => method !== 'GET' && method !== 'HEAD')).toEqual([]);
  });

  it('takes one where the newest one is damaged', async () => {
    const { folder, env } = await copy();
    const { stdout } = await runCli(['backup', '--full', '--json'], env);
    const { name } = JSON.parse(stdout) as { name: string };
    await rm(join(folder, 'repository', 'backups', `${name}.duckdb.zst`));
    const again = await runCli(['backup', '--if-changed', '--json'], env);
    const taken = JSON.parse(again.stdout) as { name: string };
    expect(taken).toMatchObject({ kind: 'full', parent: name, tables: [{ rows: 30 }] });
    expect((await runCli(['verify', taken.name], env)).status).toBe(0);
  });
});

describe('eider list, show and verify', () => {
  it('list shows the backups as a table, newest first', async () => {
    const { status, stdout } = await runCli(['list'], given());
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`^name .*\n${newer} .*manual.*\n${older} .*manual.*\n$`));
  });

  it('list --json pages through them', async () => {
    const first = await runCli(['list', '--json', '--limit', '1'], given());
    expect(JSON.parse(first.stdout)).toMatchObject({ backups: [{ name: newer }], next: newer });
    const second = await runCli(['list', '--json', '--cursor', newer], given());
    expect(JSON.parse(second.stdout)).toMatchObject({ backups: [{ name: older }], next: null });
  });

  it('show prints one backup, and ends with 5 where there is none', async () => {
    const shown = await runCli(['show', older], given());
    expect(shown.status).toBe(0);
    expect(shown.stdout).toMatch(/^tables +guests 10$/m);
    const unknown = await runCli(['show', 'nothing', '--json'], given());
    expect(unknown.status).toBe(5);
    expect(unknown.stdout).toBe('');
    expect(JSON.parse(unknown.stderr)).toMatchObject({ error: { code: 'BACKUP_NOT_FOUND' } });
  });

  it('verify ends with 0 for a whole backup and with 3 for a damaged one, which it describes', async () => {
    const { folder, env } = await copy();
    const pack = join(folder, 'repository', 'backups', `${older}.duckdb.zst`);
    const { size } = await stat(pack);
    const file = await open(pack, 'r+');
    await file.write(Buffer.from([0xff, 0xff, 0xff, 0xff]), 0, 4, size - 20);
    await file.close();
    const whole = await runCli(['verify', newer], env);
    expect(whole).toMatchObject({ status: 0, stdout: expect.stringContaining(`${newer} is whole`) });
    const damaged = await runCli(['verify', older], env);
    expect(damaged.status).toBe(3);
    expect(damaged.stdout).toContain(`${older} is DAMAGED:\n  ${older}.duckdb.zst`);
    // The file is there with its length.
    const quick = await runCli(['verify', older, '--mode', 'quick'], env);
    expect(quick).toMatchObject({ status: 0, stdout: expect.stringContaining(`${older} has all its objects`) });
    const tried = await runCli(['verify', newer, '--mode', 'restore'], env);
    expect(tried).toMatchObject({ status: 0, stdout: expect.stringContaining(`${newer} was restored on trial`) });
    expect((await runCli(['verify', older, '--mode', 'restore'], env)).status).toBe(3);
    // Every later command, on any machine, is told.
    const { stdout: list } = await runCli(['list'], env);
    expect(list).toMatch(new RegExp(`^${newer} .* proven\n${older} .* DAMAGED$`, 'm'));
    expect((await runCli(['show', older], env)).stdout).toMatch(/^last check +is DAMAGED \(restore\): .*, at 2/m);
    expect((await runCli(['verify', older, '--mode', 'deep'], env)).stderr).toContain(
      'Allowed choices are quick, full, restore',
    );
    // The database at hand holds the block that is damaged in the store; elsewhere there is none.
    const refused = await runCli(['restore', older], { ...env, DUCKDB_PATH: join(folder, 'fresh.duckdb') });
    expect(refused).toMatchObject({ status: 3, stderr: expect.stringContaining('BACKUP_DAMAGED') });
    expect(await guestsIn(folder)).toBe(30);
  });

  it('retention --dry-run tells what would go, and removes nothing', async () => {
    // Both are from the first of January; the newest one stays in any case.
    const { folder, env } = await copy();
    const before = await readdir(join(folder, 'repository', 'backups'));
    const { status, stdout } = await runCli(['retention', '--dry-run'], { ...env, R2_BACKUP_RETENTION_DAYS: '1' });
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`^${newer} +kept +newest\n${older} +removed `, 'm'));
    expect(stdout).toMatch(new RegExp(`^${older}.json +removed +expired +${older}$`, 'm'));
    expect(stdout).toMatch(new RegExp(`^${older}.duckdb.zst +kept +grace +${older}$`, 'm'));
    expect(await readdir(join(folder, 'repository', 'backups'))).toEqual(before);
  });
});

describe('eider restore', () => {
  it('--dry-run tells what would be done, and does nothing', async () => {
    const { folder, env } = await copy();
    const { status, stdout } = await runCli(['restore', older, '--dry-run'], env);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^history +a new lineage begins/m);
    expect(await guestsIn(folder)).toBe(30);
  });

  it('brings a backup back, keeps what was there beside it, and the next start keeps what was restored', async () => {
    const { folder, env } = await copy();
    const { status, stdout } = await runCli(['restore', older, '--json'], env);
    expect(status).toBe(0);
    const { restorePoint } = JSON.parse(stdout) as { restorePoint: string };
    const start = await runCli(['restore', '--at-start'], env);
    expect(start.stdout).toMatch(/^keep: /);
    expect(await guestsIn(folder)).toBe(10);
    expect(await guestsIn(folder, restorePoint)).toBe(30);
  });

  it('--to writes a file of its own and never overwrites one', async () => {
    const { folder, env } = await copy();
    const file = join(folder, 'elsewhere.duckdb');
    expect((await runCli(['restore', '--to', file], env)).status).toBe(0);
    expect(await guestsIn(folder, file)).toBe(20);
    expect(await guestsIn(folder)).toBe(30);
    const again = await runCli(['restore', '--to', file], env);
    expect(again).toMatchObject({ status: 2, stderr: expect.stringContaining('nothing is ever overwritten') });
  });

  it('--at-start restores where there is no database', async () => {
    const { folder } = await copy();
    const env = { ...environmentIn(folder), DUCKDB_PATH: join(folder, 'fresh.duckdb') };
    const { status, stdout } = await runCli(['restore', '--at-start'], env);
    expect(status).toBe(0);
    expect(stdout).toContain(`there is no local database: ${newer} is restored`);
    expect(await guestsIn(folder, 'fresh.duckdb')).toBe(20);
  });
});

describe('while a service has the database', () => {
  it('commands that open or replace it end with 4 and name the process; reading the repository goes on', async () => {
    const { env } = await copy();
    const service = await stage.serve({ ...env, SEED_DATABASE: 'false' });
    for (const command of [['backup'], ['restore'], ['restore', '--at-start']]) {
      const { status, stderr } = await runCli(command, env);
      expect(status).toBe(4);
      expect(stderr).toContain(`in use by process ${service.pid}`);
    }
    expect((await runCli(['list'], env)).status).toBe(0);
    expect((await service.fetch('/health/ready')).status).toBe(200);
    expect(await service.stop()).toBe(0);
  });
});

describe('eider config check and doctor', () => {
  it('config check prints what is in force, without secrets', async () => {
    const env = environmentIn(stage.path, { ADMIN_RATE_LIMIT_PER_MINUTE: '77' });
    const { status, stdout } = await runCli(['config', 'check'], env);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^ADMIN_RATE_LIMIT_PER_MINUTE +77 +the environment or .env$/m);
    expect(stdout).toMatch(/^ADMIN_API_KEYS +\(secret\) +the environment or .env$/m);
  });

  it('config check ends with 2 for wrong variables, one line each', async () => {
    const env = environmentIn(stage.path, { PORT: 'http', R2_BACKUP_INTERVAL_MINUTES: 'often' });
    const { status, stdout, stderr } = await runCli(['config', 'check'], env);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/PORT: must be/);
    expect(stderr).toMatch(/^R2_BACKUP_INTERVAL_MINUTES: must be/m);
  });

  it('doctor ends with 0 where the store can do everything', async () => {
    const { status, stdout } = await runCli(['doctor', '--json'], given());
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ usable: true });
  });

  it('doctor ends with 3 where it cannot, and gives advice', async () => {
    const double = await stage.double();
    double.bucketExists = false;
    const { status, stdout } = await runCli(['doctor'], environmentIn(stage.path, bucketOf(double)));
    expect(status).toBe(3);
    expect(stdout).toMatch(/^reach and list +failed/m);
  });
});

describe('a command that cannot be done', () => {
  it('ends with 6 when the store is down', async () => {
    const double = await stage.double();
    await double.goDown();
    const { status, stderr } = await runCli(['list'], environmentIn(stage.path, bucketOf(double)));
    expect(status).toBe(6);
    expect(stderr).toContain('STORE_UNAVAILABLE');
  });

  it.each([
    ['an unknown command', ['bakcup']],
    ['an unknown option', ['list', '--newest']],
    ['a missing argument', ['show']],
    ['a limit that is no number', ['list', '--limit', 'all']],
    ['no command', []],
    ['options that exclude each other', ['restore', '--at-start', '--dry-run']],
    ['a label for a backup that may not be taken', ['backup', '--if-changed', '--label', 'before the gala']],
    ['a pin of a backup that may not be taken', ['backup', '--if-changed', '--pin']],
    ['a full backup that may not be taken', ['backup', '--full', '--if-changed']],
  ])('ends with 2 for %s', async (_, args) => {
    const { status, stdout, stderr } = await runCli(args, given());
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).not.toBe('');
  });
});
