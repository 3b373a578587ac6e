import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BackupService } from '../../../src/backup/backup.service.js';
import { VerifyService } from '../../../src/backup/verify.service.js';
import { backupConcern } from '../../../src/config/backup.config.js';
import { isEiderError } from '../../../src/errors/eider-error.js';
import { Repository } from '../../../src/repository/repository.js';
import type { TestCore } from '../../support/core.js';
import { failEachRequest, IN_EVERY_WAY, report } from '../../support/fault-loop.js';
import { Site } from '../../support/site.js';

/** Many rounds in one test: a machine with other work takes longer than a test usually may. */
const LOOP_TIMEOUT_MS = 180_000;

let site: Site;
let core: TestCore;
let repositories = 0;

/** A repository for the one database, of its own unless its prefix is given, and what works with it. */
function newRepository(prefix = `repository-${++repositories}/`): {
  repository: Repository;
  backups: BackupService;
  verify: VerifyService;
} {
  const rules = backupConcern.parse({ NODE_ENV: 'test' });
  const store = site.store(prefix);
  const repository = new Repository(store, rules, () => site.clock.now());
  const backups = new BackupService(rules, core.database, repository, core.lineage, site.clock, core.pool);
  return { repository, backups, verify: new VerifyService(repository, core.pool) };
}

/** What another process sees: nothing that is not whole. */
async function expectWhole(seen: Repository, verify: VerifyService, allowed: number): Promise<void> {
  const listing = await new Repository(seen.store, { environment: 'test', stem: 'hesocial-backup' }).list();
  expect(listing.foreign).toEqual([]);
  expect(listing.backups.length).toBeLessThanOrEqual(allowed);
  for (const { name } of listing.backups) expect(await verify.verify(name)).toMatchObject({ ok: true });
}

describe('a backup whose store fails in the middle', () => {
  beforeEach(async () => {
    site = await Site.open('bucket');
    core = await site.populated('first', 10);
    await core.write('CREATE TABLE log (i INTEGER)');
  });
  afterEach(async () => site.remove());

  it(
    'leaves nothing half-done, and the next one works: every request of it',
    async () => {
      const withLog = async (backups: BackupService): Promise<unknown> =>
        core.database.transaction(async (session) => {
          // Keeps the log from being folded, so that it is uploaded, too.
          await session.run('UPDATE guests SET id = id');
          return backups.create({ trigger: 'manual', checkpointTimeoutMs: -1 });
        });
      let writes = 0;
      const faults = await failEachRequest(
        site.s3,
        async () => {
          await core.write('INSERT INTO log VALUES (1)');
          await withLog(newRepository().backups);
          writes++;
        },
        async (mend) => {
          const { repository, backups, verify } = newRepository();
          site.clock.advance(60_000);
          await core.write('INSERT INTO log VALUES (1)');
          writes++;
          const failure: unknown = await withLog(backups).then(
            () => undefined,
            (error: unknown) => error,
          );
          mend();
          if (failure !== undefined) expect(isEiderError(failure)).toBe(true);
          expect(backups.status.failures).toBe(failure === undefined ? 0 : 1);
          await expectWhole(repository, verify, 1);
          // The database is unharmed, and the next backup is taken and is the main history.
          const { manifest } = await backups.create({ trigger: 'manual' });
          expect(manifest).toMatchObject({ fork: false });
          expect(manifest.tables.find(({ name }) => name === 'log')).toMatchObject({ rows: writes, exact: true });
          await expectWhole(repository, verify, 2);
          expect(core.database.writeGate.isOpen).toBe(true);
        },
      );
      report(`backup: ${faults} faults of the store tried`);
      expect(faults).toBeGreaterThan(IN_EVERY_WAY ? 50 : 5);
    },
    LOOP_TIMEOUT_MS,
  );

  it(
    'leaves what it builds on whole, and the next one builds on it: every request of it',
    async () => {
      // Enough for the changes of a round to be a small part.
      await core.write('CREATE TABLE notes AS SELECT md5(range::VARCHAR) AS note FROM range(40000)');
      const { repository: first, backups: full } = newRepository();
      const prefix = `repository-${repositories}/`;
      await full.create({ trigger: 'manual' });
      const again = () => {
        site.clock.advance(60_000);
        return newRepository(prefix);
      };
      let writes = 0;
      const change = async (): Promise<void> => {
        await core.write('INSERT INTO log VALUES (1)');
        writes++;
      };
      const kinds: string[] = [];
      const faults = await failEachRequest(
        site.s3,
        async () => {
          await change();
          await again().backups.create({ trigger: 'manual' });
        },
        async (mend) => {
          const { backups, verify } = again();
          await change();
          const failure: unknown = await backups.create({ trigger: 'manual' }).then(
            () => undefined,
            (error: unknown) => error,
          );
          mend();
          if (failure !== undefined) expect(isEiderError(failure)).toBe(true);
          const { manifest } = await backups.create({ trigger: 'manual' });
          kinds.push(manifest.kind);
          expect(manifest).toMatchObject({ fork: false });
          expect(manifest.tables.find(({ name }) => name === 'log')).toMatchObject({ rows: writes, exact: true });
          const listing = await first.list();
          expect(listing.foreign).toEqual([]);
          for (const { name } of listing.backups.slice(0, 2)) {
            expect(await verify.verify(name)).toMatchObject({ ok: true });
          }
        },
      );
      report(`incremental backup: ${faults} faults of the store tried`);
      expect(faults).toBeGreaterThan(IN_EVERY_WAY ? 40 : 5);
      expect(kinds.filter((kind) => kind === 'incremental').length).toBeGreaterThan(faults / 2);
    },
    LOOP_TIMEOUT_MS,
  );
});
