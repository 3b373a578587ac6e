import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { type Manifest, objectsOf } from '../../src/repository/manifest.js';
import { bucketOf, CLI, environmentIn, TestProcess } from '../support/processes.js';
import type { TestCore } from '../support/core.js';
import { backUp, contentOf, Site } from '../support/site.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let site: Site;
let core: TestCore;
let old: Manifest;
let content: string[];
let child: TestProcess | undefined;

beforeEach(async () => {
  site = await Site.open('bucket', { dated: true });
  core = await site.populated('first', 1_000);
  old = await backUp(core);
  content = await contentOf(core);
  site.clock.advance(40 * DAY);
  await core.write('INSERT INTO guests VALUES (-1)');
  await backUp(core, { full: true });
});
afterEach(async () => {
  await child?.kill();
  await site.remove();
});

const target = (): string => join(site.path, 'restored.duckdb');
const left = (): string[] => {
  const keys = site.s3.state.keys();
  return objectsOf(old).filter((key) => keys.includes(`backups/${key}`));
};

/** Another process that restores the old backup, and stands still in the middle. */
async function restoring(): Promise<{ goOn: () => void }> {
  const gate = site.s3.faults.hold({ operation: 'GetObject', key: /\.duckdb\.zst$/ });
  const env = environmentIn(site.path, bucketOf(site.s3));
  child = new TestProcess([process.execPath, CLI, 'restore', old.name, '--to', target()], env, { cwd: site.path });
  await Promise.race([gate.reached, child.exited]);
  child.signal('SIGSTOP');
  return {
    goOn: () => {
      gate.open();
      child?.signal('SIGCONT');
    },
  };
}

async function restored(): Promise<string[]> {
  const reader = site.core('reader', { DUCKDB_PATH: target() });
  await reader.open();
  return contentOf(reader);
}

it('a process that restores keeps its backup from the retention of this one, although it stands still', async () => {
  const { goOn } = await restoring();
  site.clock.advance(DAY);
  const { backups } = await core.retention.run();
  expect(backups).toContainEqual({ name: old.name, keep: true, reason: 'held' });
  goOn();
  expect([await child?.exited, child?.output]).toEqual([0, expect.stringContaining(old.name)]);
  expect(await restored()).toEqual(content);
  await core.retention.run();
  expect((await core.repository.list()).backups).toHaveLength(1);
});

it('a process that restores keeps what it reads, although its backup was being removed when it began', async () => {
  const removal = site.s3.faults.hold({ operation: 'DeleteObject', key: new RegExp(`/${old.name}.json$`) });
  const removing = core.retention.run();
  await removal.reached;
  site.clock.advance(2 * HOUR);
  const { goOn } = await restoring();
  removal.open();
  await removing;
  // A day after the removal began; the process gave its last sign of life two hours later.
  site.clock.advance(DAY - HOUR);
  await core.retention.run();
  expect(left()).toEqual(objectsOf(old));
  goOn();
  expect([await child?.exited, child?.output]).toEqual([0, expect.stringContaining(old.name)]);
  expect(await restored()).toEqual(content);
  await core.retention.run();
  expect(left()).toEqual([]);
});
