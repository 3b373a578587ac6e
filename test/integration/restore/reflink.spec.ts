import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { statfsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BLOCK_SIZE } from '../../../src/duckdb-format/layout.js';
import type { Manifest } from '../../../src/repository/manifest.js';
import { blocksOf, packBytes, sharedBlocks } from '../../support/block-count.js';
import type { TestCore } from '../../support/core.js';
import { backUp, BUCKET, Site } from '../../support/site.js';
import { lockIsListed, secondProcessGetsIn } from '../database/open-database.js';

const QUICK = { R2_VALIDATE_DOWNLOADS: 'false' };

/** Whether such a file system can be made and mounted here. */
function canMount(kind: string): boolean {
  if (process.getuid?.() !== 0 || spawnSync(`mkfs.${kind}`, ['--version']).error !== undefined) return false;
  const folder = execFileSync('mktemp', ['-d'], { encoding: 'utf8' }).trim();
  try {
    execFileSync('truncate', ['-s', '400M', join(folder, 'image')]);
    mount(kind, folder);
    execFileSync('umount', [join(folder, 'disk')]);
    return true;
  } catch {
    return false;
  } finally {
    execFileSync('rm', ['-r', folder]);
  }
}

function mount(kind: string, folder: string): void {
  const silent = { stdio: 'ignore' } as const;
  execFileSync(`mkfs.${kind}`, [join(folder, 'image')], silent);
  execFileSync('mkdir', [join(folder, 'disk')], silent);
  execFileSync('mount', ['-o', 'loop', join(folder, 'image'), join(folder, 'disk')], silent);
}

describe.each(['xfs', 'btrfs'])(
  'on a file system that knows clones (%s; skipped where it cannot be mounted)',
  (kind) => {
    const possible = canMount(kind);
    const withDisk = possible ? it : it.skip;
    let site: Site;
    let folder: string;
    let disk: string;
    let older: Manifest;
    let newer: Manifest;
    let olderFile: Buffer;
    let newerFile: Buffer;

    beforeAll(async () => {
      if (!possible) return;
      folder = await mkdtemp(join(tmpdir(), 'eider-reflink-'));
      await writeFile(join(folder, 'image'), '');
      await truncate(join(folder, 'image'), 400 * 1024 * 1024);
      mount(kind, folder);
      disk = join(folder, 'disk');
      site = await Site.open(BUCKET);
      const core = await site.populated('first', 3, QUICK);
      await core.write('CREATE TABLE letters AS SELECT range AS id, md5(range::VARCHAR) AS text FROM range(900000)');
      older = await backUp(core);
      await core.write("UPDATE letters SET text = 'changed' WHERE id BETWEEN 70000 AND 75000");
      newer = await backUp(core);
      await core.close();
      newerFile = await readFile(core.database.path);
      const elsewhere = site.core('elsewhere', QUICK);
      await elsewhere.start.replaceLocal({ kind: 'eider', manifest: older });
      olderFile = await readFile(elsewhere.database.path);
    });
    afterAll(async () => {
      if (!possible) return;
      await site.remove();
      execFileSync('umount', [disk]);
      await rm(folder, { recursive: true });
    });

    let machines = 0;
    async function machine(): Promise<TestCore> {
      const place = join(disk, `machine-${++machines}`);
      await mkdir(place);
      await writeFile(join(place, 'hesocial.duckdb'), newerFile);
      return site.core(`machine-${machines}`, { ...QUICK, DUCKDB_PATH: join(place, 'hesocial.duckdb') });
    }

    /** Bytes that work takes on the disk. */
    async function taken(work: () => Promise<unknown>): Promise<number> {
      const used = (): number => {
        execFileSync('sync', ['-f', disk]);
        const { blocks, bfree, bsize } = statfsSync(disk);
        return (blocks - bfree) * bsize;
      };
      const before = used();
      await work();
      return used() - before;
    }

    withDisk('a restore shares with the local file what they have in common', async () => {
      const core = await machine();
      const since = site.server.log.length;
      const different = blocksOf(olderFile).length - sharedBlocks(olderFile, newerFile);
      // What was there stays as a restore point, so each block of it is counted once.
      const bytes = await taken(async () => {
        const report = await core.start.replaceLocal({ kind: 'eider', manifest: older });
        expect(report.localBlocks).toBe(sharedBlocks(olderFile, newerFile));
      });
      expect((await readFile(core.database.path)).equals(olderFile)).toBe(true);
      expect(bytes).toBeLessThan((different + 4) * BLOCK_SIZE);
      expect(bytes).toBeLessThan(olderFile.length / 3);
      expect(packBytes(site.server, since)).toBeLessThan(older.bytes.stored / 2);
    });

    withDisk('so does one of a database in use, whose lock stays and whose writes go on', async () => {
      const core = await machine();
      await core.open();
      await core.write('INSERT INTO guests VALUES (1000)');
      let path = '';
      const bytes = await taken(async () => {
        ({ path } = await core.restores.prepare({ kind: 'eider', manifest: newer }));
      });
      expect((await readFile(path)).equals(newerFile)).toBe(true);
      expect(bytes).toBeLessThan(newerFile.length / 3);
      expect(lockIsListed(core.database.path)).toBe(true);
      expect(await secondProcessGetsIn(core.database.path)).toBe(false);
      await core.write('INSERT INTO guests VALUES (1001)');
      expect(await core.number('SELECT count(*) FROM guests')).toBe(5);
      await core.close();
    });
  },
);
