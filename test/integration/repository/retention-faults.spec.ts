import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { isEiderError } from '../../../src/errors/eider-error.js';
import type { TestCore } from '../../support/core.js';
import { failEachRequest, IN_EVERY_WAY, report } from '../../support/fault-loop.js';
import { backUp, contentOf, Site } from '../../support/site.js';

const DAY = 86_400_000;
const LOOP_TIMEOUT_MS = 180_000;
const RULES = { R2_BACKUP_RETENTION_DAYS: '30', R2_VALIDATE_DOWNLOADS: 'false' };

let site: Site;
let core: TestCore;
let snapshot: ReadonlyMap<string, { bytes: Buffer; modifiedAt: Date }>;

/** Puts everything back as it was, without a request. */
function reset(): void {
  site.s3.advance(2_000);
  for (const key of site.s3.state.keys()) site.s3.state.delete(key);
  const { dates } = site.s3;
  for (const [key, { bytes, modifiedAt }] of snapshot) {
    site.s3.dates = { now: () => modifiedAt };
    site.s3.state.put(key, bytes, undefined);
  }
  site.s3.dates = dates;
  site.s3.advance(2_000);
}

/** A process that knows nothing yet. */
const fresh = (): TestCore => site.core('janitor', RULES);
const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

beforeEach(async () => {
  // One that was removed a day ago, one that goes now, one with a note, a table and a backup that were never finished.
  site = await Site.open('bucket', { dated: true });
  core = await site.populated('first', 10, RULES);
  const first = await backUp(core);
  await core.write('INSERT INTO guests VALUES (1)');
  await backUp(core);
  await core.catalog.annotate(first.name, { label: null, pinned: false });
  await core.store.put(`extents/${'a'.repeat(64)}.jsonl.zst`, Buffer.from('left'));
  await core.repository.reservations.take('hesocial-backup-20251231-000000');
  await core.store.put('hesocial-backup-20251231-000000.duckdb.zst', Buffer.from('cut'));
  site.clock.advance(20 * DAY);
  await core.write('INSERT INTO guests VALUES (2)');
  await backUp(core, { full: true });
  site.clock.advance(DAY);
  await core.write('INSERT INTO guests VALUES (3)');
  await core.catalog.annotate((await backUp(core)).name, { pinned: true });
  await core.retention.remove(first.name);
  site.clock.advance(20 * DAY);
  await core.write('INSERT INTO guests VALUES (4)');
  await backUp(core);
  snapshot = new Map(
    site.s3.state.keys().map((key) => {
      const { blob, modifiedAt } = site.s3.state.need(key);
      return [key, { bytes: blob.toBuffer(), modifiedAt }];
    }),
  );
});
afterEach(async () => site.remove());

describe('retention whose store fails in the middle', () => {
  it(
    'ends well or with a clear error, harms nothing, and the next run goes on with it: every request',
    async () => {
      let clean: readonly string[] = [];
      const faults = await failEachRequest(
        site.s3,
        async () => {
          const { removed } = await fresh().retention.run();
          expect(removed.length).toBeGreaterThan(4);
          clean = site.s3.state.keys();
        },
        async (mend) => {
          reset();
          const failure = await failureOf(fresh().retention.run());
          mend();
          if (failure !== undefined) expect(isEiderError(failure)).toBe(true);
          const { backups, foreign } = await core.repository.list();
          expect(foreign).toEqual([]);
          for (const { name } of backups) {
            expect(await core.verify.quick(await core.repository.manifests.of(name))).toMatchObject({ ok: true });
          }
          site.s3.advance(2_000);
          await fresh().retention.run();
          expect(site.s3.state.keys()).toEqual(clean);
        },
      );
      report(`retention: ${faults} faults of the store tried`);
      expect(faults).toBeGreaterThan(IN_EVERY_WAY ? 60 : 10);
      for (const { name } of (await core.repository.list()).backups) {
        expect(await core.verify.verify(name)).toMatchObject({ ok: true });
      }
    },
    LOOP_TIMEOUT_MS,
  );
});

describe('a check whose store fails in the middle', () => {
  it.each(['full', 'quick', 'restore'] as const)(
    'never takes a good backup for a damaged one, and leaves nothing but a hold that ends by itself: every request of %s',
    async (mode) => {
      const name = (await core.repository.list()).backups[0]!.name;
      const content = await contentOf(core);
      const faults = await failEachRequest(
        site.s3,
        async () => void (await fresh().verification.verify(name, mode)),
        async (mend) => {
          reset();
          const checker = fresh();
          const outcome: unknown = await checker.verification.verify(name, mode).catch((error: unknown) => error);
          mend();
          if (outcome instanceof Error) expect(isEiderError(outcome)).toBe(true);
          else expect(outcome).toMatchObject({ ok: true });
          expect(checker.backups.mustBeFull).toBe(false);
          const { verified } = (await core.repository.notes.of(name)) ?? { verified: null };
          expect(verified?.ok).not.toBe(false);
          const left = site.s3.state.keys().filter((key) => !snapshot.has(key));
          expect(left.filter((key) => !key.includes('/holds/') && key !== `backups/notes/${name}.json`)).toEqual([]);
        },
      );
      report(`verify ${mode}: ${faults} faults of the store tried`);
      expect(faults).toBeGreaterThan(3);
      expect(await contentOf(core)).toEqual(content);
    },
    LOOP_TIMEOUT_MS,
  );
});
