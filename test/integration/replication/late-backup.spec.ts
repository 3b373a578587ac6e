import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestCore } from '../../support/core.js';
import { backUp, BUCKET, contentOf, Site } from '../../support/site.js';

const ENV = { R2_WAL_SYNC_INTERVAL_MS: '200' };
const MANIFEST = { operation: 'PutObject', key: /^backups\/[^/]*\d{6}\.json$/ };

let site: Site;
let replaced: TestCore;

beforeEach(async () => {
  site = await Site.open(BUCKET);
  replaced = await site.populated('first', 3, ENV);
  await replaced.replication.connect();
  await backUp(replaced, { trigger: 'checkpoint' });
  site.clock.advance(10_000);
  await replaced.write('INSERT INTO guests VALUES (100)');
});
afterEach(async () => site.remove());

/** Another process takes its turn on another disk, and ships a commit. */
async function succeed(): Promise<TestCore> {
  const successor = site.core('second', ENV);
  await successor.boot();
  await successor.replication.connect();
  await successor.write('INSERT INTO guests VALUES (200)');
  successor.replication.look();
  await successor.replication.ship();
  return successor;
}

describe('a backup of a process that was stopped past the end of its turn', () => {
  it('that arrives after its successor has begun does not count as newer than that', async () => {
    const gate = site.server.faults.hold(MANIFEST);
    const late = replaced.backups.create({ trigger: 'checkpoint' }).catch(() => {});
    await gate.reached;
    const successor = await succeed();
    gate.open();
    await late;
    site.clock.advance(10_000);
    await successor.write('INSERT INTO guests VALUES (201)');
    expect(await backUp(successor, { trigger: 'checkpoint' })).toMatchObject({ fork: false });
    expect(successor.backups.status.replacedBy).toBeNull();
    await successor.write('INSERT INTO guests VALUES (202)');
    const content = await contentOf(successor);
    await successor.close();
    // Nor at the next start of the successor.
    const again = site.core('second', ENV);
    expect((await again.boot()).decision).toMatchObject({ action: 'keep' });
    expect(await contentOf(again)).toEqual(content);
  });

  it('does not arrive where it is not on its way yet: the process looks at the log before', async () => {
    const gate = site.server.faults.hold({ operation: 'PutObject', key: /\.blocks\.zst$/ });
    const late = replaced.backups.create({ trigger: 'checkpoint' });
    const refused = expect(late).rejects.toMatchObject({ code: 'REPLICATION_FENCED' });
    await gate.reached;
    const successor = await succeed();
    const before = (await successor.repository.list()).backups;
    gate.open();
    await refused;
    expect(replaced.replication.state).toBe('fenced');
    await expect(replaced.write('INSERT INTO guests VALUES (101)')).rejects.toMatchObject({
      code: 'DATABASE_READ_ONLY',
    });
    expect((await successor.repository.list()).backups).toEqual(before);
  });
});
