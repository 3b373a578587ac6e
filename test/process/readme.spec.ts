import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ADMIN_KEY, CLI, environmentIn, TestProcess } from '../support/processes.js';
import { Stage } from '../support/stage.js';

const README = readFileSync(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8');

/** The commands of a part of the tour: every shell block that follows its mark. */
const blocksOf = (part: string): string[] =>
  [...README.matchAll(new RegExp(`<!-- tour${part} -->\\n+\`\`\`sh\\n(.*?)\`\`\``, 'gs'))].map(
    ([, block = '']) => block,
  );
const BLOCKS = blocksOf('');

const COUNT = "sql data/hesocial.duckdb 'SELECT count(*) AS registrations FROM registrations'";

/** The tour needs the two programs that it uses; a continuous-integration run has to have them. */
const HAS_TOOLS = ['curl', 'bash'].every((tool) => spawnSync(tool, ['--version']).status === 0);
if (!HAS_TOOLS && process.env['CI'] !== undefined) throw new Error('the tour of the README needs curl and bash');
const where = HAS_TOOLS ? it : it.skip;

let stage: Stage;

beforeEach(async () => {
  stage = await Stage.set();
});
afterEach(async () => stage.clear());

const environment = (): Record<string, string> =>
  environmentIn(stage.path, { NODE_ENV: 'development', SEED_DATABASE: 'true', R2_BACKUP_INTERVAL_MINUTES: '30' });

/** Runs blocks of the tour in one shell, as a reader does in one terminal; an HTTP error or a failing command ends it. */
async function tour(
  blocks: readonly string[],
  url: string,
  more: Readonly<Record<string, string>> = {},
): Promise<string> {
  const commands = blocks
    .join('\n')
    .replaceAll('localhost:3000', new URL(url).host)
    .replaceAll('npx eider', 'eider')
    .replaceAll('data/hesocial.duckdb', stage.database)
    .replaceAll('before.duckdb', join(stage.path, 'before.duckdb'));
  const script = [
    'set -euo pipefail',
    'curl() { command curl --fail-with-body --show-error "$@"; }',
    `eider() { "${process.execPath}" "${CLI}" "$@"; }`,
    commands,
  ].join('\n');
  const shell = stage.run(new TestProcess(['bash', '-c', script], { ...environment(), KEY: ADMIN_KEY, ...more }));
  const status = await shell.exited;
  if (status !== 0) throw new Error(`the tour ended with ${status}:\n${shell.output}`);
  return shell.output;
}

describe('the tour of the README', () => {
  it('has commands', () => {
    expect(BLOCKS.length).toBeGreaterThan(4);
  });

  where('works line by line, and so does breaking the file and starting again', async () => {
    const service = await stage.serve(environment());
    const output = await tour(BLOCKS, service.url);
    expect(output).toMatch(/"seatsLeft":24.*"label":"before the gala".*is whole: .* checked/s);
    // The registration that was a mistake is gone again.
    expect(output.slice(output.indexOf('"restorePoint"'))).toMatch(/"seatsTaken":6/);
    expect(output).toMatch(/exit status 4$/m);
    expect(output).toMatch(/DATABASE_LOCKED: .* is in use by process \d+\./);
    expect(await service.stop('SIGINT')).toBe(0);
    await writeFile(stage.database, 'not a database any more\n');
    const again = await stage.serve(environment());
    expect(again.output).toMatch(/restore \(local-unreadable\)/);
    expect(await (await again.fetch('/events/2')).json()).toMatchObject({ seatsTaken: 6 });
    await again.stop();
    for (const file of [stage.database, `${stage.database}.eider.json`]) await rm(file);
    const newDisk = await stage.serve(environment());
    expect(newDisk.output).toMatch(/restore \(local-missing\)/);
    expect(await (await newDisk.fetch('/events/2')).json()).toMatchObject({ seatsTaken: 6 });
  });

  where('keeps a durable commit through kill -9 and a lost disk, and undoes a DELETE without WHERE', async () => {
    const env = { ...environment(), R2_WAL_SYNC_INTERVAL_MS: '3000' };
    const killed = await stage.serve(env);
    expect(await tour(blocksOf(': durable'), killed.url)).toMatch(/"eventId":3,"userId":3/);
    await killed.kill();
    await stage.wipe();
    const again = await stage.serve(env);
    expect(again.output).toMatch(/restore \(local-missing\)/);
    const answer = await again.fetch('/events/3/registrations', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ userId: 3 }),
    });
    expect(await answer.json()).toMatchObject({ code: 'ALREADY_REGISTERED' });

    const before = (await tour(blocksOf(': moment'), again.url)).trim();
    expect(await again.stop('SIGINT')).toBe(0);
    const [mistake = ''] = blocksOf(': mistake');
    expect(await tour([mistake], again.url)).toMatch(/registrations: '0'/);
    const undone = await stage.serve(env);
    const shell = mistake.slice(0, mistake.indexOf('sql data/'));
    const output = await tour([shell, ...blocksOf(': undo')], undone.url, { BEFORE: before });
    expect(output).toMatch(/registrations: '25'/);
    expect(output).toMatch(/"ranges":\[\{"from"/);
    expect(await undone.stop()).toBe(0);
    expect(await tour([shell, COUNT], undone.url)).toMatch(/registrations: '25'/);
  });

  it('names pages that exist', async () => {
    for (const [, page = ''] of README.matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      if (page === 'docs/adr') continue;
      expect((await readFile(join(import.meta.dirname, '..', '..', page), 'utf8')).length).toBeGreaterThan(0);
    }
  });
});
