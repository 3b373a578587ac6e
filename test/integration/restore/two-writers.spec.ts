import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestCore } from '../../support/core.js';
import { ADAPTERS, backUp, Site } from '../../support/site.js';

let site: Site;
let first: TestCore;
let second: TestCore;

describe.each(ADAPTERS)('two processes that write to one repository in a %s', (adapter) => {
  beforeEach(async () => {
    site = await Site.open(adapter, { compares: true });
    first = await site.populated();
    await backUp(first);
    second = site.core('second', { R2_VALIDATE_DOWNLOADS: 'false' });
    await second.boot();
    await second.write('INSERT INTO guests VALUES (200)');
    await first.write('INSERT INTO guests VALUES (100), (101)');
  });
  afterEach(async () => site.remove());

  it('the one that finds newer backups refuses writes and saves what it holds as a fork', async () => {
    const main = await backUp(second);
    const fork = await backUp(first);
    expect(fork).toMatchObject({ fork: true, tables: [{ rows: 5 }] });
    expect(fork.position.lineage).not.toBe(main.position.lineage);
    await expect(first.write('INSERT INTO guests VALUES (102)')).rejects.toMatchObject({ code: 'DATABASE_READ_ONLY' });
    expect(first.backups.status.replacedBy).toBe(main.name);
    // Once is enough: nothing can change any more.
    expect(await first.backups.create({ trigger: 'interval', onlyIfChanged: true })).toMatchObject({ created: false });
  });

  it('the other one goes on, and a new machine follows it', async () => {
    await backUp(second);
    await backUp(first);
    await second.write('INSERT INTO guests VALUES (201)');
    const main = await backUp(second);
    expect(main.fork).toBe(false);
    const third = site.core('third', { R2_VALIDATE_DOWNLOADS: 'false' });
    expect((await third.boot()).decision).toMatchObject({ backup: main.name });
    expect(await third.number('SELECT count(*) FROM guests WHERE id >= 200')).toBe(2);
  });

  it('restoring the fork makes it the main history again, where writes are let in', async () => {
    await backUp(second);
    const fork = await backUp(first);
    await second.online.restore(await second.restores.find({ backup: fork.name }));
    await second.write('INSERT INTO guests VALUES (300)');
    const main = await backUp(second);
    expect(main).toMatchObject({ fork: false, lineageParent: fork.position });
    expect(await second.number('SELECT count(*) FROM guests')).toBe(6);
  });

  it('the replaced one is the writer again once it has restored the newest backup', async () => {
    const main = await backUp(second);
    await backUp(first);
    await first.online.restore(await first.restores.find({ backup: main.name }));
    expect(first.backups.status.replacedBy).toBeNull();
    await first.write('INSERT INTO guests VALUES (300)');
    expect(await backUp(first)).toMatchObject({ fork: false });
  });

  it('of two that back up at the same moment both are listed, under names of their own', async () => {
    const [one, other] = await Promise.all([backUp(first), backUp(second)]);
    expect(one.name).not.toBe(other.name);
    expect((await first.repository.list()).backups).toHaveLength(3);
    for (const { name } of [one, other]) expect(await first.verify.verify(name)).toMatchObject({ ok: true });
  });
});
