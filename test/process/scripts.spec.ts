import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CLI, environmentIn, TestProcess } from '../support/processes.js';
import { Stage } from '../support/stage.js';

const ROOT = join(import.meta.dirname, '..', '..');

let stage: Stage;

beforeEach(async () => {
  stage = await Stage.set();
});
afterEach(() => stage.clear());

describe('the scripts of package.json', () => {
  it('build a command line that npx can run: npx makes it executable the first time only', async () => {
    await expect(access(CLI, constants.X_OK)).resolves.toBeUndefined();
  });

  it('start the service in the place of the shell: SIGTERM to npm ends it with its last backup', async () => {
    const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: { start: string };
    };
    const env = environmentIn(stage.path, { PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` });
    const npm = new TestProcess(['/bin/sh', '-c', scripts.start], env, { cwd: ROOT });
    try {
      await npm.says(/Eider is running at/);
      npm.signal('SIGTERM');
      expect(await npm.exited).toBe(0);
      expect(npm.stdout).toContain('everything is in');
    } finally {
      await npm.kill();
    }
  });
});

describe('the log', () => {
  it('has no colours where it goes into a file or a pipe', async () => {
    const service = await stage.serve(environmentIn(stage.path));
    expect(await service.stop()).toBe(0);
    expect(service.output).toContain('[Shutdown]');
    expect(service.output).not.toContain('\u001b');
  });

  it('with LOG_FORMAT=json makes every line that a service writes JSON, from the start to the end', async () => {
    const service = await stage.serve(environmentIn(stage.path, { LOG_FORMAT: 'json' }));
    expect(await service.stop()).toBe(0);
    const lines = service.output.split('\n').filter((line) => line !== '');
    expect(lines.length).toBeGreaterThan(3);
    for (const line of lines) expect(() => JSON.parse(line) as unknown).not.toThrow();
  });
});
