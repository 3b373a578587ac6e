import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { checkDatabase } from '../../../src/database/database-check.js';
import { Log } from '../../../src/repository/log.js';
import type { Position } from '../../../src/repository/position.js';
import { ImageFetch } from '../../../src/restore/image-fetch.js';
import { LogReplay } from '../../../src/restore/log-replay.js';
import { PointFinder } from '../../../src/restore/point-finder.js';
import { ReplicationService } from '../../../src/replication/replication.service.js';
import { backupConcern } from '../../../src/config/backup.config.js';
import { replicationConcern } from '../../../src/config/replication.config.js';
import { NO_PROGRESS } from '../../../src/operations/operation.js';
import type { TestCore } from '../../support/core.js';
import { contentOf, Site } from '../../support/site.js';

let site: Site;
let core: TestCore;
let replication: ReplicationService;

beforeEach(async () => {
  site = await Site.open('folder');
  core = site.core('first');
  const env = { NODE_ENV: 'test' };
  replication = new ReplicationService(
    backupConcern.parse(env),
    replicationConcern.parse(env),
    core.database,
    core.backups,
    core.repository,
    core.lineage,
    core.pool,
    core.clock,
  );
  await core.boot();
});
afterEach(async () => site.remove());

async function restored(position: Position): Promise<string[]> {
  const log = new Log(core.store);
  const point = await new PointFinder(core.repository, log).find({ position });
  const path = join(site.path, `point-${position.iteration}-${position.offset}.duckdb`);
  await new ImageFetch(core.repository, core.pool).fetch({ kind: 'eider', manifest: point.base }, path, NO_PROGRESS);
  await new LogReplay(core.store, log).apply(point, path);
  const { tables } = await checkDatabase({ path, catalog: 'hesocial' }, undefined);
  return tables.map(({ name, rows, hash }) => `${name} ${rows}:${hash}`);
}

const STATEMENTS = [
  'INSERT INTO t (a, b) SELECT range, range::VARCHAR FROM range(10)',
  'INSERT INTO big SELECT range, hash(range)::VARCHAR FROM range(150000)',
  'UPDATE t SET b = b || \'x\' WHERE a % 3 = 0',
  'DELETE FROM big WHERE a % 7 = 0',
  'CREATE OR REPLACE TABLE copy AS SELECT * FROM big',
  'INSERT INTO big SELECT range, random()::VARCHAR FROM range(300000)',
  'ALTER TABLE t ADD COLUMN IF NOT EXISTS c INTEGER DEFAULT 7',
  'CREATE INDEX IF NOT EXISTS i ON big (a)',
  'DROP TABLE copy',
  'INSERT INTO t (a) VALUES (1), (2)',
];

describe('every commit', () => {
  it('can be restored exactly, over several checkpoints', async () => {
    await core.write('CREATE TABLE t (a BIGINT, b VARCHAR)', 'CREATE TABLE big (a BIGINT, b VARCHAR)');
    await replication.connect();
    await core.backups.create({ trigger: 'checkpoint' });
    expect(replication.state).toBe('shipping');
    const states: { position: Position; content: string[] }[] = [];
    for (const [index, statement] of [...STATEMENTS, ...STATEMENTS.slice(0, 6)].entries()) {
      await core.write(statement);
      replication.look();
      const position = core.lineage.at(await core.database.position());
      states.push({ position, content: await contentOf(core) });
      if (index % 2 === 1) await replication.ship();
      if (index % 5 === 4) await core.backups.create({ trigger: 'checkpoint' });
    }
    await replication.ship();
    for (const { position, content } of states) expect(await restored(position)).toEqual(content);
  }, 120_000);
});
