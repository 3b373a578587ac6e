import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseDescriptors } from '../../../src/database/database-descriptors.js';
import { FRAME_HEAD, parseWalHeader } from '../../../src/duckdb-format/wal.js';
import { WalTail } from '../../../src/replication/wal-tail.js';
import { temporaryFolder } from '../../support/core.js';
import { databaseBytes } from '../../support/duckdb-files.js';
import { restoredRows } from '../../support/restored-rows.js';
import { backUp, Site } from '../../support/site.js';

/** More than a row group, so that the rows go into the file, and the log only points at them. */
const BULK = 'INSERT INTO guests SELECT range FROM range(250000)';

/** Ends of the entries of a log between two commits, the second one's marker left out. */
function entriesBetween(wal: Buffer, from: number, to: number): number[] {
  const ends: number[] = [];
  for (let at = from; at < to;) {
    at += FRAME_HEAD + Number(wal.readBigUInt64LE(at));
    if (at < to) ends.push(at);
  }
  return ends;
}

describe('a commit that is being written', () => {
  it('is not shipped before its marker is there, wherever its entries end', async () => {
    const { path: folder, remove } = await temporaryFolder();
    const made = await databaseBytes({
      folded: ['CREATE TABLE guests (id INTEGER)'],
      logged: ['INSERT INTO guests VALUES (1)', BULK],
    });
    const [first = 0, second = 0] = made.commits;
    const path = join(folder, 'torn.duckdb');
    await writeFile(path, made.main);
    await writeFile(`${path}.wal`, made.wal.subarray(0, first));
    const files = new DatabaseDescriptors(path);
    const tail = new WalTail(files, files.header().iteration, 0);
    expect(tail.look(1)).toBe('grown');
    expect(tail.take()).toMatchObject({ to: first, commits: 1, rowGroups: false });
    const ends = entriesBetween(made.wal, first, second);
    expect(ends.length).toBeGreaterThan(1);
    for (const [index, end] of ends.entries()) {
      await appendFile(`${path}.wal`, made.wal.subarray(ends[index - 1] ?? first, end));
      expect(tail.look(2)).toBe('idle');
      expect(tail.take()).toBeUndefined();
    }
    await appendFile(`${path}.wal`, made.wal.subarray(ends.at(-1)));
    expect(tail.look(3)).toBe('grown');
    expect(tail.take()).toMatchObject({ from: first, to: second, commits: 1, rowGroups: true, marks: [[second, 3]] });
    tail.close();
    files.close();
    expect(parseWalHeader(made.wal)?.iteration).toBe(1);
    await remove();
  });
});

describe('a position in the middle of a commit', () => {
  let site: Site;

  beforeEach(async () => {
    Logger.overrideLogger(false);
    site = await Site.open('folder');
  });
  afterEach(async () => site.remove());

  it('is restored as the commit before, although its rows lie in the file already', async () => {
    const core = await site.populated('first', 3, { R2_WAL_SYNC_INTERVAL_MS: '200', R2_VALIDATE_DOWNLOADS: 'false' });
    await core.replication.connect();
    await backUp(core, { trigger: 'checkpoint' });
    await core.write('INSERT INTO guests VALUES (100)');
    const before = core.lineage.at(await core.database.position());
    await core.write(BULK);
    const after = await core.database.position();
    core.replication.look();
    await core.replication.ship();
    const counts = async (offset: number): Promise<unknown> =>
      (await restoredRows(core, { position: { ...before, offset } }, 'SELECT count(*)::INTEGER FROM guests'))[0]?.[0];
    // The marker is 21 bytes long: up to there every row group is told.
    for (const offset of [before.offset, after.offset - 21, after.offset - 1]) expect(await counts(offset)).toBe(4);
    expect(await counts(after.offset)).toBe(250_004);
  });
});
