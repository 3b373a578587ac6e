import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { isEiderError } from '../../../src/errors/eider-error.js';
import type { Manifest } from '../../../src/repository/manifest.js';
import type { TestCore } from '../../support/core.js';
import { failEachRequest, IN_EVERY_WAY, report } from '../../support/fault-loop.js';
import { backUp, contentOf as contentOfAll, Site } from '../../support/site.js';

/** The check in a child process has tests of its own; without it hundreds of restores take seconds. */
const QUICK = { R2_VALIDATE_DOWNLOADS: 'false', RESTORE_POINTS_KEEP: '1' };

/** Many rounds in one test: a machine with other work takes longer than a test usually may. */
const LOOP_TIMEOUT_MS = 180_000;

let site: Site;
let core: TestCore;
let manifest: Manifest;

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );
/** Without the tables that migrations make: a restore brings the schema up to date. */
const contentOf = async (of: TestCore): Promise<string[]> =>
  (await contentOfAll(of)).filter((table) => table.startsWith('guests '));
const workingCopies = async (of: TestCore): Promise<string[]> =>
  (await readdir(of.folder)).filter((file) => /\.restoring-|swap\.json/.test(file));

describe('a restore whose store fails in the middle', () => {
  beforeEach(async () => {
    site = await Site.open('bucket', { compares: true });
    core = await site.populated('first', 10, QUICK);
    await core.database.checkpoint({ timeoutMs: 1_000 });
    await core.write('INSERT INTO guests VALUES (-1)');
    manifest = await core.database.transaction(async (session) => {
      await session.run('UPDATE guests SET id = id WHERE id = 3');
      return backUp(core, { checkpointTimeoutMs: -1 });
    });
    expect(manifest.wal).not.toBeNull();
  });
  afterEach(async () => site.remove());

  it(
    'leaves the database in use, whole and writable, and the next one works: every request',
    async () => {
      const backedUp = await contentOf(core);
      const change = async (): Promise<string[]> => {
        site.clock.advance(60_000);
        await core.write('INSERT INTO guests VALUES (-2)');
        return contentOf(core);
      };
      const restore = async (): Promise<unknown> =>
        core.online.restore(await core.restores.find({ backup: manifest.name }));
      const faults = await failEachRequest(
        site.s3,
        async () => {
          await change();
          await restore();
        },
        async (mend) => {
          const content = await change();
          const failure = await failureOf(restore());
          mend();
          expect(await contentOf(core)).toEqual(failure === undefined ? backedUp : content);
          if (failure !== undefined) expect(isEiderError(failure)).toBe(true);
          expect(await workingCopies(core)).toEqual([]);
          await core.write('INSERT INTO guests VALUES (-3)');
          if (failure === undefined) return;
          await restore();
          expect(await contentOf(core)).toEqual(backedUp);
          expect((await readdir(core.folder)).filter((file) => file.includes('.restore-partial'))).toEqual([]);
        },
      );
      report(`online restore: ${faults} faults of the store tried`);
      expect(faults).toBeGreaterThan(IN_EVERY_WAY ? 50 : 5);
    },
    LOOP_TIMEOUT_MS,
  );

  it(
    'leaves nothing behind where there was no database, and the next start works: every request',
    async () => {
      const content = await contentOf(core);
      let machines = 0;
      const faults = await failEachRequest(
        site.s3,
        async () => void (await site.core('clean', QUICK).boot()),
        async (mend) => {
          const machine = `machine-${++machines}`;
          const first = site.core(machine, QUICK);
          const failure = await failureOf(first.boot());
          mend();
          if (failure !== undefined) {
            expect(isEiderError(failure)).toBe(true);
            expect(existsSync(first.database.path)).toBe(false);
            expect(existsSync(first.folder) ? await workingCopies(first) : []).toEqual([]);
          }
          await first.database.close();
          const second = site.core(machine, QUICK);
          await second.boot();
          expect(await contentOf(second)).toEqual(content);
          await second.database.close();
        },
      );
      report(`restore at a start: ${faults} faults of the store tried`);
      expect(faults).toBeGreaterThan(IN_EVERY_WAY ? 30 : 5);
    },
    LOOP_TIMEOUT_MS,
  );
});
