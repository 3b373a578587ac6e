import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DuckDBInstance } from '@duckdb/node-api';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { backUp, Site } from '../../support/site.js';

let site: Site;

beforeEach(async () => {
  site = await Site.open('folder');
});
afterEach(async () => site.remove());

describe('a database of an older storage version', () => {
  it('that is kept against the repository is upgraded and goes on as the main history', async () => {
    await backUp(await site.populated('first'));
    const core = site.core('second', { R2_RESTORE_ON_CONFLICT: 'local' });
    await mkdir(dirname(core.database.path));
    const instance = await DuckDBInstance.create(core.database.path);
    const connection = await instance.connect();
    await connection.run('CREATE TABLE guests AS SELECT range AS id FROM range(7)');
    connection.closeSync();
    instance.closeSync();
    expect((await core.boot()).decision).toMatchObject({ action: 'keep', row: 'diverged' });
    expect(await backUp(core)).toMatchObject({ fork: false, database: { storageVersion: 65 } });
    const third = site.core('third');
    await third.boot();
    expect(await third.number('SELECT count(*) FROM guests')).toBe(7);
  });
});
