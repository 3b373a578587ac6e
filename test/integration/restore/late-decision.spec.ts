import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { closeDatabase } from '../../../src/backup/close-database.js';
import type { TestCore } from '../../support/core.js';
import { backUp, BUCKET, Site } from '../../support/site.js';

let site: Site;

describe('a start while the store cannot be reached', () => {
  beforeEach(async () => {
    site = await Site.open(BUCKET);
  });
  afterEach(async () => site.remove());

  /** A machine with a backup, stopped; `change` is what it commits after the backup. */
  const stopped = async (machine: string, ...change: string[]): Promise<TestCore> => {
    const core = machine === 'first' ? await site.populated(machine) : site.core(machine);
    if (machine !== 'first') await core.boot();
    await backUp(core);
    if (change.length > 0) await core.write(...change);
    await closeDatabase(core, true);
    return core;
  };

  it('and without a database refuses and creates nothing', async () => {
    await stopped('first');
    await site.server.goDown();
    const core = site.core('second');
    await expect(core.boot()).rejects.toMatchObject({ code: 'START_REFUSED_STORE_UNREACHABLE' });
    expect(existsSync(core.database.path)).toBe(false);
  });

  it('and with an unreadable database refuses and leaves it', async () => {
    const first = await stopped('first');
    await writeFile(first.database.path, 'not a database');
    await site.server.goDown();
    await expect(site.core().boot()).rejects.toMatchObject({ code: 'DATABASE_NOT_DUCKDB' });
    expect(await readFile(first.database.path, 'utf8')).toBe('not a database');
  });

  it('keeps the database and ships what is missing once the store answers', async () => {
    await stopped('first', 'INSERT INTO guests VALUES (100)');
    await site.server.goDown();
    const core = site.core();
    expect((await core.boot()).decision).toMatchObject({ action: 'keep', row: 'remote-unreachable', undecided: true });
    await core.write('INSERT INTO guests VALUES (101)');
    await expect(backUp(core)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await site.server.comeBack();
    expect(await backUp(core)).toMatchObject({ fork: false, tables: [{ rows: 5 }] });
    expect(core.late.conflict).toBeUndefined();
  });

  it('knows a backup whose commit it did not live to record', async () => {
    const first = await site.populated();
    await backUp(first);
    const state = `${first.database.path}.eider.json`;
    await first.write('INSERT INTO guests VALUES (100)');
    const before = JSON.parse(await readFile(state, 'utf8')) as Record<string, unknown>;
    const newest = await backUp(first);
    await first.database.close();
    await writeFile(state, JSON.stringify({ ...before, committing: newest.name }));
    await site.server.goDown();
    const core = site.core();
    await core.boot();
    await core.write('INSERT INTO guests VALUES (101)');
    await site.server.comeBack();
    expect(await backUp(core)).toMatchObject({ fork: false });
  });

  it('ships nothing where another machine has gone on meanwhile, and serves all the same', async () => {
    await stopped('first', 'INSERT INTO guests VALUES (100)');
    const second = site.core('second');
    await second.boot();
    await second.write('INSERT INTO guests VALUES (200)');
    await backUp(second);
    await site.server.goDown();
    const core = site.core();
    await core.boot();
    await site.server.comeBack();
    const before = await site.keys();
    await expect(backUp(core)).rejects.toMatchObject({ code: 'RESTORE_CONFLICT' });
    expect(core.late.conflict).toContain('both the local database');
    expect(await site.keys()).toEqual(before);
    await core.write('INSERT INTO guests VALUES (101)');
    expect(await core.number('SELECT count(*) FROM guests')).toBe(5);
  });

  it('with ALLOW_EMPTY_START creates a database that never replaces what the store turns out to hold', async () => {
    await stopped('first');
    await site.server.goDown();
    const core = site.core('second', { ALLOW_EMPTY_START: 'true' });
    expect((await core.boot()).decision).toMatchObject({ action: 'create', undecided: true });
    await site.server.comeBack();
    const before = await site.keys();
    await expect(backUp(core)).rejects.toMatchObject({ code: 'RESTORE_CONFLICT' });
    expect(await site.keys()).toEqual(before);
  });

  it('with ALLOW_EMPTY_START creates a database that does not count as newer than a file put there by hand', async () => {
    const first = await site.populated();
    await closeDatabase(first, false);
    await site.store().put('by-hand.duckdb', await readFile(first.database.path));
    await site.server.goDown();
    const core = site.core('second', { ALLOW_EMPTY_START: 'true' });
    await core.boot();
    await site.server.comeBack();
    await expect(backUp(core)).rejects.toMatchObject({ code: 'RESTORE_CONFLICT' });
    expect(await site.keys()).toEqual(['by-hand.duckdb']);
  });

  it('with ALLOW_EMPTY_START goes on where the store turns out to be empty', async () => {
    await site.server.goDown();
    const core = site.core('second', { ALLOW_EMPTY_START: 'true' });
    await core.boot();
    await site.server.comeBack();
    expect(await backUp(core)).toMatchObject({ fork: false });
  });
});
