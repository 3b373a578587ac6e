import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Manifest } from '../../../src/repository/manifest.js';
import { TestClock, type TestCore } from '../../support/core.js';
import { ADAPTERS, backUp, contentOf, Site } from '../../support/site.js';

const DAY_MS = 86_400_000;
/** Text that hardly compresses: a megabyte of it. */
const TEXT = 'SELECT md5(random()::VARCHAR) || md5(random()::VARCHAR) AS text FROM range(30000)';
const TABLES = ['lasting', 'rewritten1', 'rewritten2', 'rewritten3', 'rewritten4', 'rewritten5'];

let site: Site;
let core: TestCore;

/** Writes tables anew, as DuckDB does with an index at every checkpoint. */
async function rewrite(tables: readonly string[]): Promise<void> {
  await core.write(...tables.map((table) => `CREATE OR REPLACE TABLE ${table} AS ${TEXT}`));
}

const keysOf = ({ packs }: Manifest): string[] => packs.map(({ key }) => key);

describe.each(ADAPTERS)('a pack of which little is still used, in a %s', (adapter) => {
  let worn: string;
  let before: Manifest;

  beforeEach(async () => {
    site = await Site.open(adapter);
    core = site.core('first', { R2_BACKUP_RETENTION_DAYS: '1' });
    await core.boot();
    await core.write(`CREATE TABLE large AS ${TEXT.replace('30000', '400000')}`);
    await backUp(core);
    await rewrite(TABLES);
    const added = await backUp(core);
    worn = `${added.name}.blocks.zst`;
    // A block that became free keeps what it held until it is written again, by the checkpoint after next.
    for (let round = 0; round < 2; round++) {
      await rewrite(TABLES.slice(1));
      before = await backUp(core);
    }
    expect(keysOf(before)).toContain(worn);
  });
  afterEach(async () => site.remove());

  it('is needed no more by the next backup, which stores that little again', async () => {
    await core.write("INSERT INTO rewritten1 VALUES ('one more')");
    const content = await contentOf(core);
    const next = await backUp(core);
    expect(next.kind).toBe('incremental');
    expect(keysOf(next)).not.toContain(worn);
    // The large table is not stored again.
    expect(next.bytes.added).toBeLessThan(before.bytes.stored / 10);
    expect(await site.restored(next, 'second')).toEqual(content);
    expect(await core.verify.verify(next.name)).toMatchObject({ ok: true });

    // Nothing is left to store again.
    const last = await backUp(core, { trigger: 'manual' });
    expect(last).toMatchObject({ kind: 'incremental', packs: next.packs, bytes: { added: 0 } });

    // It goes with the backups that need it, and those that do not stay as they are.
    site.clock.advance(3 * DAY_MS);
    await core.retention.run();
    await site.core('later', {}, { clock: new TestClock(new Date(Date.now() + 5 * DAY_MS)) }).retention.run();
    expect((await core.repository.list()).objects.has(worn)).toBe(false);
    expect(await site.restored(last, 'third')).toEqual(content);
  });

  it('stays where somebody waits for the backup', async () => {
    await core.write("INSERT INTO rewritten1 VALUES ('in a hurry')");
    const hurried = await backUp(core, { trigger: 'shutdown' });
    expect(keysOf(hurried)).toContain(worn);
    expect(hurried.bytes.added).toBeLessThan(1024 * 1024);
  });
});
