import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DatabaseSwap, recoverSwap } from '../../../src/database/swap.js';
import { temporaryFolder } from '../../support/core.js';

const SCRIPT = fileURLToPath(new URL('../../support/kill-at-rename.mjs', import.meta.url));
/** More renames and removals than a swap makes. */
const MOST = 20;

type Files = Readonly<Record<string, string>>;

let folder: { path: string; remove: () => Promise<void> };
let database: string;
let replacement: string;
let aside: string;

/** Each case: the files of the old and of the new database. */
const CASES: readonly [string, Files, Files][] = [
  ['logs and states on both sides', names('old', '', '.wal', '.eider.json'), names('new', '', '.wal', '.eider.json')],
  ['a log and a state on the old side alone', names('old', '', '.wal', '.eider.json'), names('new', '')],
  ['a log and a state on the new side alone', names('old', ''), names('new', '', '.wal', '.eider.json')],
  ['nothing to replace', {}, names('new', '', '.eider.json')],
];

function names(owner: string, ...suffixes: string[]): Files {
  return Object.fromEntries(suffixes.map((suffix) => [suffix, `${owner}${suffix}`]));
}

async function lay(path: string, files: Files): Promise<void> {
  for (const [suffix, text] of Object.entries(files)) await writeFile(`${path}${suffix}`, text);
}

/** The files of a database that are there, with what is in them. */
async function at(path: string): Promise<Files> {
  const found: Record<string, string> = {};
  for (const suffix of ['', '.wal', '.wal.checkpoint', '.wal.recovery', '.eider.json']) {
    const text = await readFile(`${path}${suffix}`, 'utf8').catch(() => undefined);
    if (text !== undefined) found[suffix] = text;
  }
  return found;
}

beforeEach(async () => {
  folder = await temporaryFolder();
  database = join(folder.path, 'hesocial.duckdb');
  replacement = `${database}.restoring-1`;
  aside = `${database}.restore-point-1`;
});
afterEach(async () => folder.remove());

/** Runs a process that is killed at its n-th step; false when it ended before. */
function killAt(nth: number, when: 'before' | 'after', action: 'swap' | 'take-back' | 'recover'): boolean {
  const { signal, status, stderr } = spawnSync(
    process.execPath,
    [SCRIPT, String(nth), when, action, database, replacement, aside],
    { encoding: 'utf8' },
  );
  if (signal !== 'SIGKILL' && status !== 0) throw new Error(stderr);
  return signal === 'SIGKILL';
}

async function startOver(before: Files, after: Files): Promise<void> {
  for (const file of await readdir(folder.path)) await rm(join(folder.path, file));
  await lay(database, before);
  await lay(replacement, after);
}

describe.each(CASES)('a swap with %s', (_, before, after) => {
  it('replaces the one by the other and sets the old one aside', async () => {
    await startOver(before, after);
    await (await DatabaseSwap.begin(database, replacement, aside)).commit();
    expect([await at(database), await at(replacement), await at(aside)]).toEqual([after, {}, before]);
    expect(await recoverSwap(database)).toBe(false);
  });

  it('that is killed at any step is taken back by the next start, or is done', async () => {
    let kills = 0;
    for (let nth = 1; nth <= MOST; nth++) {
      await startOver(before, after);
      if (!killAt(nth, 'after', 'swap')) break;
      kills++;
      const interrupted = await recoverSwap(database);
      const outcome = [await at(database), await at(replacement), await at(aside)];
      expect(outcome).toEqual(interrupted ? [before, after, {}] : [after, {}, before]);
    }
    // The journal, a rename for each file, the removal of the journal.
    expect(kills).toBe(2 + Object.keys(before).length + Object.keys(after).length);
  });
});

describe('a swap that is taken back', () => {
  const [, before, after] = CASES[0] as (typeof CASES)[number];

  it.each(['take-back', 'recover'] as const)(
    'and is killed at any step of that (%s) is taken back again',
    async (action) => {
      let kills = 0;
      for (let nth = action === 'recover' ? 1 : 8; nth <= MOST; nth++) {
        await startOver(before, after);
        if (action === 'recover') await DatabaseSwap.begin(database, replacement, aside);
        if (!killAt(nth, 'after', action)) break;
        kills++;
        await recoverSwap(database);
        expect([await at(database), await at(replacement), await at(aside)]).toEqual([before, after, {}]);
      }
      expect(kills).toBeGreaterThanOrEqual(7);
    },
  );

  it('takes a log that the new database made meanwhile away with it', async () => {
    await startOver({ '': 'old' }, { '': 'new' });
    const swap = await DatabaseSwap.begin(database, replacement, aside);
    await writeFile(`${database}.wal`, 'new log');
    await swap.undo();
    expect([await at(database), await at(replacement)]).toEqual([{ '': 'old' }, { '': 'new', '.wal': 'new log' }]);
  });
});

describe('a swap', () => {
  it('whose rename fails is taken back, and the failure is told', async () => {
    await startOver(names('old', '', '.wal'), names('new', '', '.wal'));
    // A folder with something in it cannot be replaced by a file.
    await mkdir(join(`${aside}.wal.recovery`));
    await expect(DatabaseSwap.begin(database, replacement, aside)).rejects.toThrow('is not overwritten');
    await rm(`${aside}.wal.recovery`, { recursive: true });
    expect(await at(database)).toEqual(names('old', '', '.wal'));
    expect(await recoverSwap(database)).toBe(false);
  });

  it('never overwrites a database that was set aside before', async () => {
    await startOver({ '': 'old' }, { '': 'new' });
    await lay(aside, { '': 'older' });
    await expect(DatabaseSwap.begin(database, replacement, aside)).rejects.toThrow('is not overwritten');
    expect([await at(database), await at(aside)]).toEqual([{ '': 'old' }, { '': 'older' }]);
  });

  it('is not begun when the new database is missing: an empty one would take its place', async () => {
    await startOver({ '': 'old' }, {});
    await expect(DatabaseSwap.begin(database, replacement, aside)).rejects.toThrow('is not there');
    expect(await at(database)).toEqual({ '': 'old' });
  });

  it('whose journal cannot be read stops the start', async () => {
    await startOver({ '': 'old' }, {});
    await writeFile(`${database}.eider-swap.json`, '{');
    await expect(recoverSwap(database)).rejects.toThrow();
    expect(await at(database)).toEqual({ '': 'old' });
  });
});
