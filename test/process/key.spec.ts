import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EncryptionKey } from '../../src/encryption/encryption-key.js';
import { TestCore } from '../support/core.js';
import { FIRST_KEY, keys, SECOND_KEY } from '../support/encryption.js';
import { environmentIn, runCli, TestService } from '../support/processes.js';
import { Stage } from '../support/stage.js';

/** A repository with one backup under the first key. */
let stage: Stage;
let folder: string;
let backup: string;
let file: string;

beforeAll(async () => {
  stage = await Stage.set();
  folder = join(stage.path, 'given');
  await mkdir(folder);
  const core = new TestCore(folder, undefined, keys(FIRST_KEY));
  await core.open();
  await core.write('CREATE TABLE guests AS SELECT range AS id FROM range(10)');
  backup = (await core.backups.create({ trigger: 'manual' })).manifest.name;
  await core.close();
  file = join(stage.path, 'keys');
  await writeFile(file, `# of last year\n${FIRST_KEY.toBase64()}\n`);
  await chmod(file, 0o644);
});
afterAll(() => stage.clear());

const given = (env: Record<string, string>): Record<string, string> => environmentIn(folder, env);

describe('eider key generate', () => {
  it('prints a new key with its id, in the form of a key file', async () => {
    const { status, stdout } = await runCli(['key', 'generate'], given({}));
    expect(status).toBe(0);
    const [, id, text] = /^# eider key ([0-9a-f]{16})\n(\S{44})\n$/.exec(stdout) ?? [];
    expect(EncryptionKey.parse(text ?? '')?.id).toBe(id);
    const json = JSON.parse((await runCli(['key', 'generate', '--json'], given({}))).stdout) as Record<string, string>;
    expect(EncryptionKey.parse(json['key'] ?? '')?.id).toBe(json['keyId']);
    expect(json['key']).not.toBe(text);
  });
});

describe('eider key check', () => {
  it('tells which key writes and which backups it can read', async () => {
    const { status, stdout } = await runCli(['key', 'check'], given(keys(SECOND_KEY, FIRST_KEY)));
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`^the next backup is encrypted under ${SECOND_KEY.id}$`, 'm'));
    expect(stdout).toMatch(new RegExp(`^${FIRST_KEY.id} +1 +reads$`, 'm'));
    expect(stdout).toMatch(new RegExp(`^${backup} +${FIRST_KEY.id} +yes$`, 'm'));
    expect(stdout).not.toContain(FIRST_KEY.toBase64().slice(0, 12));
  });

  it('ends with 3 where one cannot be read', async () => {
    const { status, stdout } = await runCli(['key', 'check'], given(keys(SECOND_KEY)));
    expect(status).toBe(3);
    expect(stdout).toMatch(new RegExp(`^${backup} +${FIRST_KEY.id} +NO: its key is not configured$`, 'm'));
    const json = await runCli(['key', 'check', '--json'], given({}));
    expect(json.status).toBe(3);
    expect(JSON.parse(json.stdout)).toEqual({
      writes: null,
      keys: [],
      backups: [{ name: backup, keyId: FIRST_KEY.id, readable: false, error: null }],
    });
  });

  it('is where other commands end with 2 and name the key', async () => {
    const { status, stderr } = await runCli(['verify', backup], given({}));
    expect(status).toBe(2);
    expect(stderr).toContain(`ENCRYPTION_KEY_MISSING: ${backup} is encrypted under the key ${FIRST_KEY.id}`);
  });
});

describe('eider key rotate', () => {
  it('puts a new key in front of the file, for its owner alone', async () => {
    const { status, stdout } = await runCli(['key', 'rotate'], given({ ENCRYPTION_KEY_FILE: file }));
    expect(status).toBe(0);
    const text = await readFile(file, 'utf8');
    const [, id, added] = /^# eider key (\w+)\n(\S+)\n# of last year\n(\S+)\n$/.exec(text) ?? [];
    expect(EncryptionKey.parse(added ?? '')?.id).toBe(id);
    expect(text).toContain(FIRST_KEY.toBase64());
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(stdout).toContain(`begins with the new key ${id ?? ''}`);
    expect(stdout).not.toContain(added);
    const check = await runCli(['key', 'check', '--json'], given({ ENCRYPTION_KEY_FILE: file }));
    expect(check.status).toBe(0);
    expect(JSON.parse(check.stdout)).toMatchObject({ writes: id, keys: [{ id }, { id: FIRST_KEY.id, backups: 1 }] });
  });

  it('prints the new value where the keys are in the environment', async () => {
    const { status, stdout } = await runCli(['key', 'rotate'], given(keys(FIRST_KEY)));
    expect(status).toBe(0);
    const [, added, old] = /^ENCRYPTION_KEY=(\S{44}),(\S{44})$/m.exec(stdout) ?? [];
    expect(EncryptionKey.parse(added ?? '')).toBeDefined();
    expect(old).toBe(FIRST_KEY.toBase64());
  });

  it.each([
    ['there is no key', {}, 'no key is configured'],
    ['encryption is off', keys('off', FIRST_KEY), 'encryption is off'],
  ])('ends with 2 where %s', async (_, env, why) => {
    const { status, stdout, stderr } = await runCli(['key', 'rotate'], given(env));
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(why);
  });
});

describe('a start with a wrong key', () => {
  it('ends with 1, names the key that is wanted, and leaves the database as it is', async () => {
    const before = await stat(join(folder, 'hesocial.duckdb'));
    const service = stage.run(new TestService(given(keys(SECOND_KEY))));
    expect(await service.exited).toBe(1);
    expect(service.stderr).toContain(`ENCRYPTION_KEY_MISSING`);
    expect(service.stderr).toContain(`under the key ${FIRST_KEY.id}; this service has only ${SECOND_KEY.id}`);
    expect((await stat(join(folder, 'hesocial.duckdb'))).mtimeMs).toBe(before.mtimeMs);
  });

  it('ends with 1 and one line where a key is no key, which is not repeated', async () => {
    const service = stage.run(new TestService(given({ ENCRYPTION_KEY: 'c2hvcnQ=' })));
    expect(await service.exited).toBe(1);
    expect(service.stderr).toMatch(/^ENCRYPTION_KEY: entry 1 must be a key of 32 bytes in base64/m);
    expect(service.stderr).not.toContain('c2hvcnQ');
  });
});

describe('a start with a key file that everybody can read', () => {
  it('warns of it', async () => {
    const open = join(stage.path, 'open-keys');
    await writeFile(open, FIRST_KEY.toBase64());
    await chmod(open, 0o644);
    const service = await stage.serve({ ...given({ ENCRYPTION_KEY_FILE: open }), SEED_DATABASE: 'false' });
    expect(`${service.stdout}${service.stderr}`).toContain('open-keys (ENCRYPTION_KEY_FILE) can be read by every user');
    expect(await service.stop()).toBe(0);
  });
});
