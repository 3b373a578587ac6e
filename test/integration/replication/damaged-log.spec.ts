import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PointTarget } from '../../../src/repository/point-in-time.js';
import type { Position } from '../../../src/repository/position.js';
import type { TestCore } from '../../support/core.js';
import { withRestored } from '../../support/restored-points.js';
import { Site } from '../../support/site.js';

interface Point {
  readonly position: Position;
  readonly at: Date;
  readonly rows: number;
  readonly record: number;
}

const QUICK = { R2_WAL_SYNC_INTERVAL_MS: '3000', R2_VALIDATE_DOWNLOADS: 'false' };
let site: Site;
let core: TestCore;
let log: string;
/** Records of one iteration, the one that is damaged in the middle, and one of the next iteration. */
let before: Point;
let inline: Point;
let large: Point;
let after: Point;
let rebased: Point;

beforeAll(async () => {
  site = await Site.open('folder');
  core = site.core('first', QUICK);
  log = join(site.path, 'repository', 'backups', 'log');
  await core.boot();
  await core.write('CREATE TABLE t (a BIGINT, b UBIGINT)');
  await core.replication.connect();
  await core.backups.create({ trigger: 'checkpoint' });
  before = await shipped(10);
  inline = await shipped(10);
  // Row groups of more than 4 MiB: an object of their own.
  large = await shipped(700_000);
  after = await shipped(10);
  core.clock.advance(10_000);
  await core.backups.create({ trigger: 'checkpoint' });
  rebased = await shipped(10);
});
afterAll(async () => site.remove());

async function shipped(rows: number): Promise<Point> {
  core.clock.advance(10_000);
  await core.write(`INSERT INTO t SELECT range, hash(range) FROM range(${rows})`);
  core.replication.look();
  await core.replication.ship();
  return {
    position: core.lineage.at(await core.database.position()),
    at: core.clock.now(),
    rows: await core.number('SELECT count(*) FROM t'),
    record: core.lineage.state.log,
  };
}
const recordFile = (record: number): string => join(log, String(record).padStart(12, '0'));
async function payloadFile(): Promise<string> {
  const name = (await readdir(log)).find((file) => file.startsWith(`${String(large.record).padStart(12, '0')}-`));
  if (name === undefined) throw new Error('no payload is an object of its own');
  return join(log, name);
}
const rowsAt = (target: PointTarget): Promise<number> =>
  withRestored(core, target, async (query) =>
    Number((await query<{ n: bigint }>('SELECT count(*) AS n FROM t'))[0]?.n),
  );

/** Damages a file for as long as the work takes; null removes it. */
async function damaged(
  file: string,
  damage: (bytes: Buffer) => Buffer | null,
  work: () => Promise<void>,
): Promise<void> {
  const whole = await readFile(file);
  const bytes = damage(Buffer.from(whole));
  if (bytes === null) await rm(file);
  else await writeFile(file, bytes);
  try {
    await work();
  } finally {
    await writeFile(file, whole);
  }
}
const flipped =
  (place: (length: number) => number) =>
  (bytes: Buffer): Buffer => {
    const at = Math.floor(place(bytes.length));
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    return bytes;
  };

/** Points before and after the next base are exact; everything that needs the record names it. */
async function expectNamed(record: number, code: string, needing: readonly Point[]): Promise<void> {
  expect(await rowsAt({ position: before.position })).toBe(before.rows);
  expect(await rowsAt({ at: new Date(before.at.getTime() - 1) })).toBe(0);
  expect(await rowsAt({ position: rebased.position })).toBe(rebased.rows);
  expect(await rowsAt({ latest: true })).toBe(rebased.rows);
  for (const point of needing) {
    for (const target of [{ position: point.position }, { at: point.at }]) {
      await expect(rowsAt(target)).rejects.toMatchObject({ code, details: { record } });
    }
  }
}

describe('a record that', () => {
  const DAMAGES: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
    'is empty': () => Buffer.alloc(0),
    'lost its last byte': (bytes) => bytes.subarray(0, -1),
    'was cut in its head': (bytes) => bytes.subarray(0, 100),
    'was cut before its head': (bytes) => bytes.subarray(0, 20),
    'has a bit flipped in its magic': flipped(() => 3),
    'has a bit flipped in the length of its head': flipped(() => 9),
    'has a bit flipped in the hash of its head': flipped(() => 20),
    'has a bit flipped in its head': flipped(() => 200),
    'has a bit flipped in its payload': flipped((length) => length - 30),
    'has a bit flipped in the last byte': flipped((length) => length - 1),
  };

  it.each(Object.keys(DAMAGES))('%s is named, and hides nothing else', async (name) => {
    const damage = DAMAGES[name] ?? ((bytes) => bytes);
    await damaged(recordFile(inline.record), damage, () =>
      expectNamed(inline.record, 'LOG_RECORD_CORRUPT', [inline, after]),
    );
  });

  it('is another one under its number is named', async () => {
    const other = await readFile(recordFile(before.record));
    await damaged(
      recordFile(inline.record),
      () => other,
      () => expectNamed(inline.record, 'LOG_RECORD_CORRUPT', [inline, after]),
    );
  });

  it('is missing is named: the log does not seem to end there', async () => {
    for (const point of [inline, large]) {
      await damaged(
        recordFile(point.record),
        () => null,
        () => expectNamed(point.record, 'LOG_RECORD_MISSING', [point, after]),
      );
    }
  });

  it('is missing just where the end of the log is looked for is named for the newest point', async () => {
    const first = rebased.record - 1;
    for (const step of [0, 1]) {
      await damaged(
        recordFile(first + step),
        () => null,
        async () => {
          if (step === 1) return expect(core.repository.log.last(0)).resolves.toBe(first);
          await expect(rowsAt({ latest: true })).rejects.toMatchObject({
            code: 'LOG_RECORD_MISSING',
            details: { record: first },
          });
        },
      );
    }
  });
});

describe('a payload that is an object of its own and', () => {
  const DAMAGES: Readonly<Record<string, (bytes: Buffer) => Buffer | null>> = {
    'is missing': () => null,
    'was cut': (bytes) => bytes.subarray(0, bytes.length - 1000),
    'is empty': () => Buffer.alloc(0),
    'has a bit flipped at its beginning, in the commits': flipped(() => 20),
    'has a bit flipped in the middle, in a block': flipped((length) => length / 2),
    'has a bit flipped at its end': flipped((length) => length - 3),
  };

  it.each(Object.keys(DAMAGES))('%s is named with its record, and hides nothing else', async (name) => {
    await damaged(await payloadFile(), DAMAGES[name] ?? ((bytes) => bytes), async () => {
      expect(await rowsAt({ position: inline.position })).toBe(inline.rows);
      await expectNamed(large.record, 'LOG_RECORD_CORRUPT', [large, after]);
    });
  });
});

it('whole again, everything is restored', async () => {
  for (const point of [before, inline, large, after, rebased]) {
    expect(await rowsAt({ position: point.position })).toBe(point.rows);
    expect(await rowsAt({ at: point.at })).toBe(point.rows);
  }
});
