import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Position } from '../../../src/repository/position.js';
import type { TestCore } from '../../support/core.js';
import { restoredRows } from '../../support/restored-rows.js';
import { backUp, Site } from '../../support/site.js';

let site: Site;
let core: TestCore;

beforeEach(async () => {
  Logger.overrideLogger(false);
  site = await Site.open('folder');
  core = await site.populated('first', 3, { R2_WAL_SYNC_INTERVAL_MS: '200', R2_VALIDATE_DOWNLOADS: 'false' });
  await core.replication.connect();
});
afterEach(async () => site.remove());

/** Commits, each with the position that it has then. */
async function commits(count: number): Promise<Position[]> {
  const positions: Position[] = [];
  for (let i = 0; i < count; i++) {
    await core.write('INSERT INTO guests VALUES (100)');
    positions.push(core.lineage.at(await core.database.position()));
  }
  return positions;
}

async function guestsAt(position: Position): Promise<number> {
  return Number((await restoredRows(core, { position }, 'SELECT count(*)::INTEGER FROM guests'))[0]?.[0]);
}

describe('a commit that was first seen together with later ones', () => {
  it('can be restored by its position', async () => {
    await core.backups.create({ trigger: 'checkpoint' });
    const positions = await commits(4);
    core.replication.look();
    await core.replication.ship();
    for (const [index, position] of positions.entries()) expect(await guestsAt(position)).toBe(4 + index);
  });

  it('and that only a backup behind it holds can be restored by its position', async () => {
    const positions = await commits(2);
    // A reader from before an update keeps the checkpoint from being made, so that the first backup has a log.
    const base = await core.database.read(async (session) => {
      await session.first('SELECT * FROM guests');
      await core.write('UPDATE guests SET id = 101 WHERE id = 100');
      return backUp(core, { trigger: 'checkpoint', checkpointTimeoutMs: 0 });
    });
    expect(base.position.offset).toBeGreaterThan(positions[1]?.offset ?? 0);
    expect(core.replication.status.records).toBe(2);
    for (const [index, position] of positions.entries()) expect(await guestsAt(position)).toBe(4 + index);
  });

  it('is not taken for a point of the checkpoint before', async () => {
    await core.backups.create({ trigger: 'checkpoint' });
    await commits(3);
    core.replication.look();
    await core.replication.ship();
    const { iteration } = core.database.files.header();
    const position = core.lineage.at({ iteration: iteration + 1, offset: 200 });
    await expect(core.restores.find({ position })).rejects.toMatchObject({ code: 'RESTORE_POINT_UNREACHABLE' });
  });
});
