import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Position } from '../../../src/repository/position.js';
import type { TestCore } from '../../support/core.js';
import { withRestored } from '../../support/restored-points.js';
import { ADAPTERS, contentBy, contentOf, Site } from '../../support/site.js';

const STATEMENTS = [
  'INSERT INTO t (a, b) SELECT range, range::VARCHAR FROM range(10)',
  'INSERT INTO big SELECT range, hash(range)::VARCHAR FROM range(150000)',
  "UPDATE t SET b = b || 'x' WHERE a % 3 = 0",
  'DELETE FROM big WHERE a % 7 = 0',
  'CREATE OR REPLACE TABLE copy AS SELECT * FROM big',
  'INSERT INTO big SELECT range, random()::VARCHAR FROM range(300000)',
  'ALTER TABLE t ADD COLUMN IF NOT EXISTS c INTEGER DEFAULT 7',
  'CREATE INDEX IF NOT EXISTS i ON big (a)',
  'DROP TABLE copy',
  'INSERT INTO t (a) VALUES (1), (2)',
];

describe.each(ADAPTERS)('every commit in a %s', (adapter) => {
  let site: Site;
  let core: TestCore;

  beforeEach(async () => {
    site = await Site.open(adapter);
    core = site.core('first', { R2_WAL_SYNC_INTERVAL_MS: '3000', R2_VALIDATE_DOWNLOADS: 'false' });
    await core.boot();
  });
  afterEach(async () => site.remove());

  it('can be restored exactly, over several checkpoints', async () => {
    await core.write('CREATE TABLE t (a BIGINT, b VARCHAR)', 'CREATE TABLE big (a BIGINT, b VARCHAR)');
    await core.replication.connect();
    await core.backups.create({ trigger: 'checkpoint' });
    expect(core.replication.state).toBe('shipping');
    const states: { position: Position; content: string[] }[] = [];
    for (const [index, statement] of [...STATEMENTS, ...STATEMENTS.slice(0, 6)].entries()) {
      await core.write(statement);
      core.clock.advance(1000);
      core.replication.look();
      states.push({ position: core.lineage.at(await core.database.position()), content: await contentOf(core) });
      if (index % 2 === 1) await core.replication.ship();
      if (index % 5 === 4) await core.backups.create({ trigger: 'checkpoint' });
    }
    await core.replication.ship();
    for (const { position, content } of states) {
      expect(await withRestored(core, { position }, contentBy)).toEqual(content);
    }
    const other = site.core('other');
    await other.boot();
    expect(await contentOf(other)).toEqual(states.at(-1)?.content);
  }, 120_000);
});
