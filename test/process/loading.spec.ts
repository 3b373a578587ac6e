import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { TestCore } from '../support/core.js';
import { environmentIn, runCli } from '../support/processes.js';
import { Stage } from '../support/stage.js';

const reporter = pathToFileURL(join(import.meta.dirname, '..', 'support', 'report-modules.mjs')).href;
const bucket = {
  R2_SYNC_ENABLED: 'true',
  R2_ENDPOINT: 'http://127.0.0.1:1',
  R2_ACCESS_KEY_ID: 'id',
  R2_SECRET_ACCESS_KEY: 'secret',
  R2_MAX_ATTEMPTS: '1',
};

let stage: Stage;
let runs = 0;

beforeAll(async () => {
  stage = await Stage.set();
  const core = new TestCore(stage.path);
  await core.open();
  await core.write('CREATE TABLE guests (id INTEGER)');
  await core.close();
});
afterAll(() => stage.clear());

/** Paths of the modules that a command loads, in the program's own process and those that it starts. */
async function loadedBy(command: readonly string[], extra: Record<string, string> = {}): Promise<string[]> {
  const file = join(stage.path, `modules-${++runs}`);
  await runCli(command, {
    ...environmentIn(stage.path),
    NODE_OPTIONS: `--import=${reporter}`,
    MODULES_FILE: file,
    ...extra,
  });
  return (await readFile(file, 'utf8')).split('\n');
}

/** Packages among them. */
function packagesOf(modules: readonly string[]): string[] {
  const names = modules.flatMap((path) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []);
  return [...new Set(names)].toSorted();
}

describe('a command loads', () => {
  it('neither Nest, HTTP, DuckDB, the AWS SDK nor threads for a list of what a folder holds', async () => {
    const modules = await loadedBy(['list']);
    const needless = packagesOf(modules).filter((name) =>
      /^@nestjs\/(?!common)|express|rxjs|duckdb|aws|piscina/.test(name),
    );
    expect(needless).toEqual([]);
    // Its index loads all of HTTP; services take what they need of it from src/runtime/injection.ts.
    expect(modules.filter((path) => path.endsWith('@nestjs/common/index.js'))).toEqual([]);
  });

  it('DuckDB and threads for a backup, and no AWS SDK for one into a folder', async () => {
    const packages = packagesOf(await loadedBy(['backup']));
    expect(packages).toEqual(expect.arrayContaining(['@duckdb/node-api', 'piscina']));
    expect(packages).not.toContain('@aws-sdk/client-s3');
    expect(packages).not.toContain('@nestjs/core');
  });

  it('the AWS SDK for a bucket', async () => {
    const packages = packagesOf(await loadedBy(['list'], bucket));
    expect(packages).toContain('@aws-sdk/client-s3');
    expect(packages).not.toContain('@duckdb/node-api');
  });
});
